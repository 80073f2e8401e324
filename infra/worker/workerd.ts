/**
 * Plain workerd, the open-source runtime of Workers, for a bundle of ours: no wrangler, no account, data on a disk that
 * outlives the process. What the lab kills; and a way to host control oneself.
 */
import { readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'

/** What wrangler.toml says: which behaviour of the runtime was agreed on. */
export const compatibilityDate = /^compatibility_date = "(.+)"$/m.exec(
  readFileSync(join(import.meta.dirname, '../../wrangler.toml'), 'utf8'),
)![1]!

export type WorkerdConfig = {
  /** Gets the configuration and, under `disk`, the data. */
  readonly folder: string
  /** The bundle's main module. */
  readonly bundle: string
  /** Address and port. */
  readonly listen: string
  /** Variables and secrets: text as it is, everything else as JSON. */
  readonly variables: Readonly<Record<string, unknown>>
}

/** Writes the configuration; returns its file, which `workerd serve` takes. */
export async function writeWorkerdConfig(config: WorkerdConfig): Promise<string> {
  const { folder, bundle, listen, variables } = config
  await mkdir(join(folder, 'disk'), { recursive: true })
  const bindings = Object.entries(variables).map(([name, value]) =>
    typeof value === 'string'
      ? `(name = ${quoted(name)}, text = ${quoted(value)})`
      : `(name = ${quoted(name)}, json = ${quoted(JSON.stringify(value))})`,
  )
  const text = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "disk", disk = (path = ${quoted(join(folder, 'disk'))}, writable = true)),
    (name = "internet", network = (allow = ["public", "private", "local"], tlsOptions = (trustBrowserCas = true))),
  ],
  sockets = [(name = "http", address = ${quoted(listen)}, http = (), service = "main")],
);
const worker :Workerd.Worker = (
  modules = [(name = "main.js", esModule = embed ${quoted(relative(folder, bundle))})],
  compatibilityDate = ${quoted(compatibilityDate)},
  durableObjectNamespaces = [(className = "ClusterObject", uniqueKey = "holdfast", enableSql = true)],
  durableObjectStorage = (localDisk = "disk"),
  bindings = [
    (name = "CLUSTERS", durableObjectNamespace = "ClusterObject"),
    ${bindings.join(',\n    ')}
  ],
);
`
  const file = join(folder, 'config.capnp')
  await writeFile(file, text)
  return file
}

/** Cap'n Proto's strings are C's. */
function quoted(text: string): string {
  const escaped = text
    .replace(/[\\"]/g, '\\$&')
    .replace(/[\n\r\t]/g, (space) => `\\x0${space.charCodeAt(0).toString(16)}`)
  return `"${escaped}"`
}

/** The native program: its npm package's own start script costs a Node process. */
export function workerdProgram(): string {
  const require = createRequire(import.meta.url)
  const wrapper = require.resolve('workerd/package.json')
  const cpu = process.arch === 'arm64' ? 'arm64' : '64'
  const name = process.platform === 'win32' ? 'workerd.exe' : 'workerd'
  const native = createRequire(wrapper).resolve(`@cloudflare/workerd-${process.platform}-${cpu}/package.json`)
  return join(dirname(native), 'bin', name)
}
