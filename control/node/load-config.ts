/** Control's configuration from a file, checked by the adapters of this program; without starting anything. */
import { readFileSync } from 'node:fs'
import { adapterNames, adapterSchemaOf } from '../../adapters/registry.ts'
import { type ControlConfig, readControlConfig } from '../config/config.ts'

/** Throws `ConfigError` with every mistake. */
export function loadControlConfig(
  configFile: string,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): ControlConfig {
  const adapters = adapterNames.map((name) => adapterSchemaOf(name)!)
  return readControlConfig({ file: configFile, text: readFileSync(configFile, 'utf8'), environment, adapters })
}
