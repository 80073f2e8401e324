/** The tables of `adapters/README.md`, from the adapters' own schemas: `npm run docs:adapters` writes them. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { sectionOf } from '../../adapters/documentation.ts'
import { builtIn } from '../../adapters/registry.ts'

const file = join(import.meta.dirname, '../../adapters/README.md')
const begin = '<!-- adapters: written by npm run docs:adapters -->'
const end = '<!-- end of adapters -->'

/** The text with the sections of all adapters as they are now. */
export async function withAdapters(text: string): Promise<string> {
  const [before, after] = [text.split(begin)[0], text.split(end)[1]]
  if (before === undefined || after === undefined) throw new Error(`${file} has lost its marks`)
  const sections = await Promise.all(builtIn.names.map(sectionFor))
  const names = builtIn.names.map((name) => `| [${name}](#${name}) | ${builtIn.schemaOf(name)!.moves} |`)
  const table = ['| adapter | moves |', '| --- | --- |', ...names].join('\n')
  return `${before}${begin}\n\n${[table, ...sections].join('\n\n')}\n\n${end}${after}`
}

/** What its fence is, an adapter itself knows, once it is made. */
async function sectionFor(name: string): Promise<string> {
  const schema = builtIn.schemaOf(name)!
  const adapter = await builtIn.create(name, { service: 'web', binding: name, ...schema.example })
  adapter.dispose()
  return sectionOf(schema, adapter.capabilities.cas)
}

if (import.meta.main) writeFileSync(file, await withAdapters(readFileSync(file, 'utf8')))
