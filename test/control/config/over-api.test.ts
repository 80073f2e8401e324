/** Where an adapter's secret is found: what may be written in a file, what over the API, and that none is repeated. */
import { expect, test } from 'vitest'
import { z } from 'zod'
import { execSchema } from '../../../adapters/exec/schema.ts'
import { secretSchema } from '../../../adapters/secret.ts'
import { readControlConfig } from '../../../control/config/config.ts'
import { ConfigError } from '../../../control/config/config-file.ts'
import { readDeclaration } from '../../../control/core/declarations.ts'

const keyed = { name: 'keyed', config: z.strictObject({ token: secretSchema }), target: z.strictObject({}) }

function problems(read: () => unknown): readonly string[] {
  try {
    read()
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.problems.map(({ key, message, hint }) => `${key}: ${message} ${hint ?? ''}`)
  }
}

const inFile = (token: unknown): readonly string[] => {
  const binding = { name: 'dns', adapter: 'keyed', config: { token }, targets: { n1: {} } }
  const tokens = [{ name: 'ops', role: 'admin', token: 'x'.repeat(32) }]
  const text = JSON.stringify({ tokens, services: { web: { bindings: [binding] } } })
  const environment = { SECRET: 'hunter2' }
  return problems(() => readControlConfig({ file: 'control.yaml', text, environment, adapters: [keyed] }))
}

const overApi = (token: unknown): readonly string[] => {
  const binding = { name: 'dns', adapter: 'keyed', config: { token }, targets: { n1: {} } }
  return problems(() => readDeclaration('web', { bindings: [binding] }, [keyed]))
}

test.each([{ env: 'CLOUD_TOKEN' }, { file: '/etc/holdfast/token' }, { credential: 'cloud-token' }])(
  'a file may say %o',
  (place) => {
    expect(inFile(place)).toEqual([])
  },
)

// biome-ignore lint/suspicious/noTemplateCurlyInString: what configuration files write for a variable.
test.each(['hunter2', '${SECRET}', { env: 'not a name' }, { file: 'relative' }, {}])(
  'a file that says %o is refused with the remedy, and the value is not repeated',
  (place) => {
    const found = inFile(place)
    expect(found.join('\n')).toMatch(/token/)
    expect(found.join('\n')).not.toContain('hunter2')
  },
)

test('a secret itself is refused with what to write instead', () => {
  expect(inFile('hunter2').join('\n')).toMatch(/a secret is not written here: write where it is found: \{env: NAME\}/)
  expect(overApi('hunter2').join('\n')).not.toContain('hunter2')
  expect(overApi('hunter2')).toHaveLength(1)
})

test('over the API nothing of the machine may be named but what is meant for it', () => {
  expect(overApi({ env: 'HOLDFAST_SECRET_CLOUD' })).toEqual([])
  expect(overApi({ credential: 'cloud-token' })).toEqual([])
  expect(overApi({ env: 'AWS_SECRET_ACCESS_KEY' }).join('\n')).toMatch(/does not begin with HOLDFAST_SECRET_/)
  expect(overApi({ file: '/etc/shadow' }).join('\n')).toMatch(/names a file of control's machine/)
})

test('over the API no program may be named, however its other keys are written', () => {
  const binding = { name: 'x', adapter: 'exec', config: { command: ['/bin/sh', '-c', 'true'] }, targets: { n1: {} } }
  const found = problems(() => readDeclaration('web', { bindings: [binding] }, [execSchema]))
  expect(found.join('\n')).toMatch(/command: must not come over the API: it names a program of control's machine/)
  const env = { ...binding, config: { ...binding.config, env: ['AWS_SECRET_ACCESS_KEY'] } }
  expect(problems(() => readDeclaration('web', { bindings: [env] }, [execSchema])).join()).toMatch(/env/)
})
