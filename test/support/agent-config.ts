/** Configurations of an agent on n1, which has the interfaces lo, eth0 and eth1. */
import { ConfigError } from '../../control/config/config-file.ts'
import { type AgentConfig, readAgentConfig } from '../../node-agent/config.ts'

export function read(text: string, environment: Record<string, string> = {}): AgentConfig {
  return readAgentConfig({
    file: 'n1.yaml',
    text,
    environment,
    hostName: 'n1.example.org',
    interfaces: ['lo', 'eth0', 'eth1'],
  })
}

export function problems(text: string, environment: Record<string, string> = {}): string[] {
  try {
    read(text, environment)
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n')
    throw error
  }
  throw new Error('the configuration was accepted')
}
