/** Control's configuration from a file, with the adapters that it may name; without starting anything. */
import { readFileSync } from 'node:fs'
import type { Registry } from '../../adapters/registry.ts'
import { adaptersOf } from '../adapters.ts'
import { type ControlConfig, readControlConfig } from '../config/config.ts'
import { loadAdapters } from './packages.ts'

export type LoadedConfig = { readonly config: ControlConfig; readonly text: string; readonly registry: Registry }

/** Throws `ConfigError` with every mistake. */
export async function loadControlConfig(
  file: string,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Promise<LoadedConfig> {
  const text = readFileSync(file, 'utf8')
  const registry = await loadAdapters(file, text)
  const config = readControlConfig({ file, text, environment, adapters: adaptersOf(registry).schemas })
  return { config, text, registry }
}
