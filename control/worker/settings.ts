/**
 * What a deployment on Workers is configured with: variables and secrets, all of them optional.
 *
 *   HOLDFAST_CLUSTERS       ["default", "prod"]             the clusters there are; nobody else can make one
 *   HOLDFAST_HOSTS          {"cp.example.com": "prod"}      which cluster a host name stands for
 *   HOLDFAST_CONFIG         the configuration file of the cluster `default`, as text, without what a Worker has no use for
 *   HOLDFAST_CONFIG_PROD    that of the cluster `prod`
 *   HOLDFAST_ADMIN_TOKEN    a secret: the token of the administrator `admin`, in every cluster
 *   HOLDFAST_LOG_LEVEL      debug, info, warn or error; debug says each event that ran an object
 */
import { z } from 'zod'
import { ownAdapters } from '../adapters.ts'
import { type ClusterConfig, clusterConfigSchema } from '../config/config.ts'
import { readConfig } from '../config/config-file.ts'
import { nameSchema } from '../contract.ts'

export type Variables = Readonly<Record<string, unknown>>

export type Clusters = {
  readonly names: ReadonlySet<string>
  /** By host name, without a port. */
  readonly hosts: Readonly<Record<string, string>>
}

/** One line: which variable, what is wrong, what to do. Never what is in it. */
export class SettingsError extends Error {
  override name = 'SettingsError' as const
}

export function readClusters(variables: Variables): Clusters {
  const names = read(variables, {
    name: 'HOLDFAST_CLUSTERS',
    schema: z.array(nameSchema).min(1).default(['default']),
    like: '["default", "prod"]',
  })
  const hosts = read(variables, {
    name: 'HOLDFAST_HOSTS',
    schema: z.record(z.string().regex(/^[a-z0-9.-]+$/, 'a host name in lower case'), nameSchema).default({}),
    like: '{"cp.example.com": "prod"}',
  })
  const unknown = Object.entries(hosts).find(([, cluster]) => !names.includes(cluster))
  if (unknown !== undefined) {
    const [host, cluster] = unknown
    throw new SettingsError(`HOLDFAST_HOSTS: ${host} stands for ${cluster}: add ${cluster} to HOLDFAST_CLUSTERS`)
  }
  return { names: new Set(names), hosts }
}

type Variable<Schema extends z.ZodType> = { readonly name: string; readonly schema: Schema; readonly like: string }

/** A variable is text, or what wrangler.toml made of it already. */
function read<Schema extends z.ZodType>(variables: Variables, { name, schema, like }: Variable<Schema>) {
  const given = variables[name]
  let value = given
  if (typeof given === 'string') {
    try {
      value = JSON.parse(given)
    } catch {
      throw new SettingsError(`${name}: is not JSON: write it like ${like}`)
    }
  }
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const place = [name, ...(issue?.path ?? [])].map(String).join('.')
  throw new SettingsError(`${place}: ${issue?.message}: write it like ${like}`)
}

/** The name of the variable with a cluster's configuration: `HOLDFAST_CONFIG_EU_1` for `eu-1`. */
export function configVariable(cluster: string): string {
  return cluster === 'default'
    ? 'HOLDFAST_CONFIG'
    : `HOLDFAST_CONFIG_${cluster.toUpperCase().replace(/[^A-Z0-9]/g, '_')}`
}

/** The text of a cluster's configuration, which may be none. */
export function configText(variables: Variables, cluster: string): string {
  const given = variables[configVariable(cluster)] ?? '{}'
  return typeof given === 'string' ? given : JSON.stringify(given)
}

/** Throws `ConfigError` with every mistake, or `SettingsError`. */
export function readClusterConfig(variables: Variables, cluster: string): ClusterConfig {
  const variable = configVariable(cluster)
  const text = configText(variables, cluster)
  const environment: Record<string, string> = {}
  for (const [name, value] of Object.entries(variables)) if (typeof value === 'string') environment[name] = value
  const schema = clusterConfigSchema(ownAdapters.schemas)
  const config = readConfig({ file: variable, text, environment, schema })
  const token = variables.HOLDFAST_ADMIN_TOKEN
  if (typeof token !== 'string' || token === '') return config
  if (config.tokens.some(({ name }) => name === 'admin')) {
    throw new SettingsError(`${variable}: tokens: the name admin is that of HOLDFAST_ADMIN_TOKEN: choose another`)
  }
  return { ...config, tokens: [...config.tokens, { name: 'admin', role: 'admin', node: null, token }] }
}
