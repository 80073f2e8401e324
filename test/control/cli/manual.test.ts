/** The help of every command: that each has one, and that what its examples type exists. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { type Command, Help } from 'commander'
import { describe, expect, test } from 'vitest'
import { footer, manual, type Page } from '../../../control/cli/manual.ts'
import { createProgram } from '../../../control/cli/program.ts'

const program = createProgram()
// What is hidden is for the completion scripts.
const below = (command: Command): Command[] =>
  new Help().visibleCommands(command).flatMap((inner) => [inner, ...below(inner)])
const nameOf = (command: Command): string =>
  command.parent?.parent == null ? command.name() : `${nameOf(command.parent)} ${command.name()}`
const commands = new Map(below(program).map((command) => [nameOf(command), command]))

test('every command has its page, and every page its command', () => {
  expect([...commands.keys()].toSorted()).toEqual(Object.keys(manual).toSorted())
})

/** The command lines of a shell line, without quotes, pipes and redirections. */
function typedIn(line: string): string[][] {
  const calls = line.matchAll(/holdfast ((?:"[^"]*"|'[^']*'|[^|;&<>()])*)/g)
  return [...calls].map(([, words]) => [...words!.matchAll(/"[^"]*"|'[^']*'|\S+/g)].map(([word]) => word))
}

describe.each(Object.entries<Page>(manual))('%s', (name, page) => {
  test('says what it is for in whole sentences, and shows how it is used', () => {
    expect(page.description).toMatch(/^[A-Z][\s\S]+\.$/)
    expect(page.summary).not.toMatch(/\.$/)
    expect(page.examples.length).toBeGreaterThan(0)
    for (const line of footer(page, true).split('\n')) expect(line.length).toBeLessThanOrEqual(120)
  })

  test('its examples use commands and flags that exist', () => {
    for (const [typed] of page.examples) {
      const calls = typedIn(typed)
      expect(calls.length).toBeGreaterThan(0)
      for (const words of calls) {
        const command = commands.get(words.slice(0, 2).join(' ')) ?? commands.get(words[0]!)
        expect(command, `${typed}: ${words[0]}`).toBeDefined()
        const known = command!.options.flatMap(({ long, short }) => [long, short])
        for (const flag of words.filter((word) => /^-{1,2}[a-z]/.test(word))) expect(known, typed).toContain(flag)
      }
    }
    expect(page.examples.some(([typed]) => typed.includes(`holdfast ${name}`))).toBe(true)
  })
})

test('help goes to standard output, in full, and is no failure', () => {
  const main = join(import.meta.dirname, '../../../control/cli/main.ts')
  const text = execFileSync(process.execPath, [main, 'drain', '--help'], { encoding: 'utf8' })
  for (const part of ['Usage: holdfast drain', 'HOLDFAST_URL', 'Examples:', 'Exit codes:', '--wait']) {
    expect(text).toContain(part)
  }
})
