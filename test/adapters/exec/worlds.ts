/** The world of the exec adapter: real programs whose state is a file, and a wrapper that goes wrong when it is told to. */
import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, vi } from 'vitest'
import type { Adapter } from '../../../adapters/adapter.ts'
import { createExec } from '../../../adapters/exec/adapter.ts'
import { execSchema } from '../../../adapters/exec/schema.ts'
import type { RunLimits } from '../../../adapters/runtime/program.ts'
import type { Place, PlainWorld, World } from '../adapter-cases.ts'
import { createManualTimers } from '../manual-timers.ts'

export const names = { service: 'web', binding: 'pool' }
export const secret = 'program-token-under-test'
export const example = join(import.meta.dirname, '../../../infra/examples/exec-program.sh')
const unfenced = join(import.meta.dirname, 'unfenced.sh')
const troubled = join(import.meta.dirname, 'troubled.sh')

export function useSecret(): void {
  vi.stubEnv('PROGRAM_TOKEN', secret)
}

/** An adapter that runs `command`, by its own schemas. */
export function adapterOf(
  command: readonly string[],
  { config = {}, limits, targets = { n1: {}, n2: {} } }: { config?: object; limits?: RunLimits; targets?: object } = {},
): Adapter {
  const parsed = Object.entries(targets).map(([node, target]) => [node, execSchema.target.parse(target)] as const)
  const input = {
    ...names,
    config: execSchema.config.parse({ command, ...config }),
    targets: Object.fromEntries(parsed),
  }
  return createExec(input, limits === undefined ? {} : { limits })
}

export function newFolder(): string {
  return mkdtempSync(join(tmpdir(), 'holdfast-exec-'))
}

/** The state of a program: `NODE EPOCH` in a file, with `-` for nobody. */
function stateIn(file: string) {
  const read = (): string => (existsSync(file) ? readFileSync(file, 'utf8') : '- 0\n')
  return {
    read,
    owner: (): Place => {
      const node = read().split(' ')[0]!
      if (node === '-') return null
      return node === 'n1' || node === 'n2' ? node : 'foreign'
    },
    set: (place: Place): void => {
      const epoch = read().trim().split(' ')[1] ?? '0'
      writeFileSync(`${file}.test`, `${place === 'foreign' ? 'elsewhere' : (place ?? '-')} ${epoch}\n`)
      renameSync(`${file}.test`, file)
    },
  }
}

/** The example, as an operator would run it. */
export async function exampleWorld(): Promise<{ readonly adapter: Adapter; readonly world: PlainWorld }> {
  const folder = newFolder()
  const state = stateIn(join(folder, 'state'))
  const world: PlainWorld = {
    owner: async () => state.owner(),
    setOutOfBand: async (place) => state.set(place),
    unreachable: async () => adapterOf(['/bin/sh', '-c', 'exit 75'], { config: { fenced: true } }),
    end: async () => rmSync(folder, { recursive: true }),
  }
  return { adapter: adapterOf([example, join(folder, 'state')], { config: { fenced: true } }), world }
}

type Stale = { ms: number; history: { readonly text: string; readonly endedAt: number }[]; last: string }

export async function execWorld({ fenced }: { readonly fenced: boolean }): Promise<{
  readonly adapter: Adapter
  readonly world: World
}> {
  const folder = newFolder()
  const at = (name: string): string => join(folder, name)
  const program = fenced ? example : unfenced
  const timers = createManualTimers()
  const state = stateIn(at('state'))
  const stale: Stale = { ms: 0, history: [], last: state.read() }
  let lateMs = 0

  /** The state has changed since time was last looked at: at this moment, that is. */
  const record = (): void => {
    const text = state.read()
    if (text !== stale.last) stale.history.push({ text: stale.last, endedAt: timers.now() })
    stale.last = text
  }
  const show = (): void => {
    if (stale.ms === 0) {
      rmSync(at('shown'), { force: true })
      return
    }
    const past = stale.history.find(({ endedAt }) => endedAt > timers.now() - stale.ms)
    writeFileSync(at('shown.new'), past?.text ?? stale.last)
    renameSync(at('shown.new'), at('shown'))
  }
  const takePending = (): void => {
    if (!existsSync(at('pending'))) return
    const moves = readFileSync(at('pending'), 'utf8').trimEnd().split('\n')
    rmSync(at('pending'))
    for (const move of moves) timers.after(lateMs, () => land(program, at('state'), move))
  }
  const world: World = {
    owner: async () => state.owner(),
    setOutOfBand: async (place) => {
      record()
      state.set(place)
      record()
      show()
    },
    inject: (action, fault) => appendFileSync(at(`faults.${action}`), `${fault}\n`),
    lag: (what, ms) => {
      record()
      takePending()
      for (const name of ['late', 'faults.observe', 'faults.apply']) rmSync(at(name), { force: true })
      lateMs = ms
      stale.ms = what === 'stale-reads' ? ms : 0
      if (what === 'late-write') writeFileSync(at('late'), '')
      show()
    },
    pass: async (ms) => {
      record()
      takePending()
      timers.pass(ms)
      record()
      show()
    },
    hanging: () =>
      vi.waitFor(() => {
        expect(existsSync(at('hanging'))).toBe(true)
        rmSync(at('hanging'))
      }),
    unreachable: async () => {
      const nobody = at('nobody')
      mkdirSync(nobody, { recursive: true })
      writeFileSync(join(nobody, 'down'), '')
      return adapterOf([troubled, nobody, program], { config: { fenced, env: ['PROGRAM_TOKEN'] } })
    },
    secrets: [secret],
    end: async () => rmSync(folder, { recursive: true, force: true }),
  }
  return { adapter: adapterOf([troubled, folder, program], { config: { fenced, env: ['PROGRAM_TOKEN'] } }), world }
}

/** A move that was on its way, made now. */
function land(program: string, state: string, move: string): void {
  const [node = '', epoch = '', token = ''] = move.split('\t')
  const words = { HOLDFAST_VERB: 'apply', HOLDFAST_NODE: node, HOLDFAST_EPOCH: epoch, HOLDFAST_TOKEN: token }
  execFileSync(program, [state], { env: { ...process.env, ...words } })
}
