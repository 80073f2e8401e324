/** Which cluster a request is for: by its path, else by its host, else the one at the root. */
import type { Clusters } from './settings.ts'

export type Route =
  /** `path`: what is left of it; `prefix`: what was before that. */
  | { readonly kind: 'cluster'; readonly name: string; readonly prefix: string; readonly path: string }
  | { readonly kind: 'unknown'; readonly name: string }

export function routeOf({ hostname, pathname }: Pick<URL, 'hostname' | 'pathname'>, { names, hosts }: Clusters): Route {
  const named = /^\/clusters\/([^/]+)(\/.*)?$/.exec(pathname)
  const byHost = Object.hasOwn(hosts, hostname) ? hosts[hostname]! : 'default'
  const name = named?.[1] ?? byHost
  if (!names.has(name)) return { kind: 'unknown', name }
  if (named === null) return { kind: 'cluster', name, prefix: '', path: pathname }
  return { kind: 'cluster', name, prefix: `/clusters/${name}`, path: named[2] ?? '/' }
}
