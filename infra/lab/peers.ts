/**
 * Installs what tests and benches compare Holdfast with (`npm run peers`): Debian packages, and moto in a Python
 * environment of its own under `.peers/`.
 *
 * It says each thing it does in a line, does nothing twice, and exits 1 with the reason when something cannot be had.
 */
import { type SpawnSyncReturns, spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** What must be on PATH, and the Debian package that brings it. */
const programs: readonly { program: string; package: string }[] = [
  { program: 'ip', package: 'iproute2' },
  { program: 'nft', package: 'nftables' },
  { program: 'curl', package: 'curl' },
  { program: 'keepalived', package: 'keepalived' },
  { program: 'vtysh', package: 'frr' },
  { program: 'python3', package: 'python3' },
  { program: 'promtool', package: 'prometheus' },
  { program: 'named', package: 'bind9' },
  { program: 'knotd', package: 'knot' },
  { program: 'pdns_server', package: 'pdns-backend-sqlite3' },
  { program: 'aws', package: 'awscli' },
  { program: 'zsh', package: 'zsh' },
  { program: 'fish', package: 'fish' },
]

const motoVersion = '5.2.1'
const environment = join(import.meta.dirname, '..', '..', '.peers', 'moto')

function main(): number {
  try {
    installPrograms()
    installMoto()
    return 0
  } catch (error) {
    console.error(`peers: ${error instanceof Error ? error.message : String(error)}`)
    return 1
  }
}

function installPrograms(): void {
  const missing = programs.filter(({ program }) => !onPath(program)).map((entry) => entry.package)
  for (const { program } of programs.filter((entry) => !missing.includes(entry.package))) {
    console.log(`peers: ${program}: already there`)
  }
  if (missing.length > 0) installPackages(missing)
}

function installPackages(names: readonly string[]): void {
  const list = names.join(' ')
  if (process.getuid?.() !== 0 || !onPath('apt-get')) {
    throw new Error(`cannot install ${list}: that takes root and apt-get; install them by hand, then run this again`)
  }
  console.log(`peers: installing ${list}`)
  withoutStartingServices(() => {
    if (aptInstall(names).status === 0) return
    // The usual reason on a new machine: it has never fetched its package lists.
    console.log('peers: apt-get update')
    const update = run('apt-get', ['update'])
    if (update.status !== 0) throw new Error(`apt-get update failed: ${lastLine(update)}`)
    const install = aptInstall(names)
    if (install.status !== 0) throw new Error(`cannot install ${list}: ${lastLine(install)}`)
  })
  console.log(`peers: installed ${list}`)
}

function aptInstall(names: readonly string[]): SpawnSyncReturns<string> {
  return run('apt-get', ['install', '--yes', '--no-install-recommends', ...names])
}

/**
 * Debian starts a daemon when it installs it, unless this program forbids it. A keepalived that runs by itself
 * would take part in the measurements. A policy that is already there is the machine's own, and stays.
 */
function withoutStartingServices(install: () => void): void {
  const policy = '/usr/sbin/policy-rc.d'
  if (existsSync(policy)) {
    install()
    return
  }
  // An interrupt ends apt-get, and then this program by its failure: the policy must not outlive it.
  const survive = () => {}
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, survive)
  writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  try {
    install()
  } finally {
    rmSync(policy, { force: true })
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.off(signal, survive)
  }
}

function installMoto(): void {
  if (installedMoto() === motoVersion) {
    console.log(`peers: moto ${motoVersion}: already there`)
    return
  }
  if (run('python3', ['-c', 'import ensurepip, venv']).status !== 0) installPackages(['python3-venv'])
  console.log(`peers: installing moto ${motoVersion} into .peers/moto`)
  const made = run('python3', ['-m', 'venv', '--clear', environment])
  if (made.status !== 0) throw new Error(`cannot make a Python environment: ${lastLine(made)}`)
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check']
  const installed = run(join(environment, 'bin', 'python'), [...pip, `moto[server,ec2]==${motoVersion}`])
  if (installed.status !== 0) throw new Error(`cannot install moto ${motoVersion}: ${lastLine(installed)}`)
  if (installedMoto() !== motoVersion) throw new Error(`moto ${motoVersion} was installed but does not answer`)
  console.log(`peers: installed moto ${motoVersion}`)
}

/** The version of moto in its environment. Undefined when an installation is not there, or was cut short. */
function installedMoto(): string | undefined {
  if (!existsSync(join(environment, 'bin', 'moto_server'))) return undefined
  const asked = run(join(environment, 'bin', 'python'), [
    '-c',
    'import importlib.metadata as m; print(m.version("moto"))',
  ])
  return asked.status === 0 ? asked.stdout.trim() : undefined
}

function run(program: string, args: readonly string[]): SpawnSyncReturns<string> {
  return spawnSync(program, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  })
}

/** What a failed program said last, which for apt-get and pip is why. */
function lastLine(result: SpawnSyncReturns<string>): string {
  if (result.error !== undefined) return result.error.message
  const lines = `${result.stdout}\n${result.stderr}`.trim().split('\n')
  return lines.at(-1) || `it ended with status ${result.status}`
}

/** The administrators' folders count too: PATH of an ordinary user leaves them out. */
function onPath(program: string): boolean {
  return [...(process.env.PATH ?? '').split(':'), '/usr/local/sbin', '/usr/sbin', '/sbin'].some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

process.exitCode = main()
