/**
 * What a test needs beyond Node and this repository: other people's programs, and rights on this machine.
 *
 * A missing requirement skips its tests and says so in one line that names the remedy. Where nothing may be
 * skipped (`HOLDFAST_REQUIRE_LAB=1`, which CI sets) it is a failing test instead.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { accessSync, constants, existsSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, type TestOptions, test } from 'vitest'

/** `missing`: undefined when it is there, else one line that says what is not and what to do. */
export type Requirement = {
  readonly name: string
  readonly missing: string | undefined
  /** How tests that need it are run, where that differs from all others. */
  readonly options?: TestOptions
}

/** A `describe` whose body needs something. */
export function describeWith(requirement: Requirement, title: string, body: () => void): void {
  const { name, missing, options = {} } = requirement
  if (missing === undefined) {
    describe(title, options, body)
  } else if (process.env.HOLDFAST_REQUIRE_LAB === '1') {
    test(`${title}: needs ${name}`, () => {
      throw new Error(`HOLDFAST_REQUIRE_LAB=1 allows no skipping, but ${missing}`)
    })
  } else {
    process.stderr.write(`skipped: ${title} (${missing})\n`)
    describe.skip(title, body)
  }
}

/** A requirement from a plain answer. `remedy` completes the line "<name> is missing: ...". */
export function requirement(name: string, available: boolean, remedy: string): Requirement {
  return { name, missing: available ? undefined : `${name} is missing: ${remedy}` }
}

/** Both at once: missing when either is, for the first one's reason. */
export function bothOf(first: Requirement, second: Requirement): Requirement {
  const options = { ...first.options, ...second.options }
  return { name: `${first.name} and ${second.name}`, missing: first.missing ?? second.missing, options }
}

const peersRemedy = 'npm run peers installs it'
const root = join(import.meta.dirname, '..', '..')
const motoProgram = join(root, '.peers', 'moto', 'bin', 'moto_server')

export const moto: Requirement = requirement('moto', existsSync(motoProgram), peersRemedy)
export const keepalived: Requirement = programRequirement('keepalived')
/** FRR keeps its daemons out of PATH, and they can be run by root alone: they change to a user of their own. */
export const frr: Requirement = {
  name: 'FRR',
  missing:
    process.getuid?.() === 0
      ? programRequirement('vtysh').missing?.replace('vtysh', 'FRR')
      : 'FRR runs only as root: run this as root',
}
export const nftables: Requirement = programRequirement('nft')
export const iproute2: Requirement = programRequirement('ip')
export const curl: Requirement = programRequirement('curl')
export const promtool: Requirement = programRequirement('promtool')

/** A program on PATH or in the folders for administrators, which PATH of an ordinary user leaves out. */
export function programRequirement(program: string): Requirement {
  return requirement(program, programPath(program) !== undefined, peersRemedy)
}

/** Where a program is, or undefined. */
export function programPath(program: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(':'), '/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/bin', '/bin']
  return folders.map((folder) => join(folder, program)).find(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

export type MotoServer = { readonly url: string; stop(): Promise<void> }

/** Starts moto on a free loopback port that it chooses itself; `stop` ends it and waits until it is gone. */
export async function startMoto(): Promise<MotoServer> {
  const child = spawn(motoProgram, ['-H', '127.0.0.1', '-p', '0'], { stdio: ['ignore', 'ignore', 'pipe'] })
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const url = await motoUrl(child)
  return {
    url,
    stop: async () => {
      child.kill('SIGTERM')
      await exited
    },
  }
}

/** The address from the line in which moto says that it listens. Its later lines are read too, so that it never blocks. */
function motoUrl(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    const said: string[] = []
    child.once('error', reject)
    child.once('exit', () => reject(new Error(`moto ended before it listened: ${said.join(' ')}`)))
    createInterface({ input: child.stderr! }).on('line', (line) => {
      if (said.length < 20) said.push(line)
      const found = /Running on (http:\/\/127\.0\.0\.1:\d+)/.exec(line)
      if (found !== null) resolve(found[1]!)
    })
  })
}
