/** Control as a process and its database: each way in which it cannot begin is one line that says what to do, and changes nothing. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { basename, dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, describe, expect, test } from 'vitest'
import { createFolder, type Ran, runHoldfast, startControl, writeControlConfig } from '../../support/control-process.ts'
import { createAgent } from '../../support/scripted-agent.ts'

const folder = createFolder()
afterAll(() => folder.remove())

const services = { web: { bindings: [{ name: 'dry', adapter: 'memory', config: {}, targets: { n1: {} } }] } }

function configFor(database: string): string {
  const file = folder.file(`${basename(dirname(database))}.json`)
  return writeControlConfig({ file, database, nodes: ['n1'], services })
}

const start = (database: string): Promise<Ran> => runHoldfast(['control', '--config', configFor(database)])

/** One line, and its bytes on disk as they were. */
function expectRefusal(ran: Ran, said: string): void {
  expect(ran).toEqual({ code: 1, stdout: '', stderr: expect.stringContaining(said) })
  expect(ran.stderr.trimEnd().split('\n')).toHaveLength(1)
  expect(ran.stderr).toMatch(/^holdfast: /)
}

/** A place of its own for each database, with everything that lies beside it. */
function place(name: string): { readonly file: string; files(): Record<string, string> } {
  const inner = folder.file(name)
  mkdirSync(inner)
  const file = join(inner, 'control.db')
  const files = () => readdirSync(inner).map((entry) => [entry, readFileSync(join(inner, entry), 'base64')])
  return { file, files: () => Object.fromEntries(files()) }
}

describe.concurrent('control does not start', () => {
  test('on a database of a newer version, of which not a byte is changed', async () => {
    const { file, files } = place('newer')
    const control = await startControl(configFor(file))
    control.signal('SIGTERM')
    expect(await control.ended).toBe(0)
    expect(Object.keys(files())).toEqual(['control.db'])
    const newer = new DatabaseSync(file)
    newer.exec('INSERT INTO migrations VALUES (999)')
    newer.close()
    const before = files()
    const ran = await start(file)
    expectRefusal(ran, `database ${file}: the database has the schema version 999`)
    expect(ran.stderr).toContain('run the newer Holdfast, or restore the copy made before it was upgraded')
    expect(files()).toEqual(before)
  })

  test('on a database that another control uses, which goes on undisturbed', async () => {
    const { file } = place('used')
    const control = await startControl(configFor(file))
    expectRefusal(await start(file), `database ${file}: is in use by another process: stop the other control`)
    const n1 = createAgent({ node: 'n1', service: 'web', priority: 200 })
    await n1.connect(control.url)
    n1.say('active')
    await control.until('web', { phase: 'settled', owner: { node: 'n1', epoch: 1 } })
    control.signal('SIGKILL')
    await control.ended
    // The lock goes with the process that held it.
    const next = await startControl(configFor(file))
    expect(await next.service('web')).toMatchObject({ owner: { node: 'n1', epoch: 1 } })
    next.signal('SIGTERM')
    expect(await next.ended).toBe(0)
  })

  test('where there is no such directory', async () => {
    const file = folder.file('no/such/control.db')
    expectRefusal(await start(file), `the directory ${dirname(file)} does not exist: create it, or change database:`)
  })

  test('on a file that is no database, which is left as it is', async () => {
    const { file, files } = place('text')
    writeFileSync(file, 'hello '.repeat(1_000))
    const before = files()
    expectRefusal(await start(file), `database ${file}: is not an SQLite database: change database:`)
    expect(files()).toEqual(before)
  })

  test('on a port that is in use', async () => {
    const other = createServer()
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    const address = other.address()
    const listen = `127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
    const { file } = place('port')
    const configFile = configFor(file)
    writeFileSync(configFile, readFileSync(configFile, 'utf8').replace('127.0.0.1:0', listen))
    expectRefusal(
      await runHoldfast(['control', '--config', configFile]),
      `listen ${listen}: the port is in use: stop what`,
    )
    other.close()
  })
})
