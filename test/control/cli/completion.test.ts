/** The completion scripts: made from whatever commands there are, and bash's one asked what it offers. */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Argument, Command } from 'commander'
import { afterAll, expect, test } from 'vitest'
import { completionScript, type Shell } from '../../../control/cli/completion.ts'
import { createFolder } from '../../support/control-process.ts'

const folder = createFolder()
afterAll(() => folder.remove())

const main = join(import.meta.dirname, '../../../control/cli/main.ts')
const holdfast = (...args: string[]): string =>
  spawnSync(process.execPath, [main, ...args], { encoding: 'utf8' }).stdout

/** A program with what ours may have one day: commands below commands, quotes and brackets in descriptions. */
function sample(): Command {
  const program = new Command('tool').description('A tool')
  program
    .command('plain')
    .description("It's plain: [so] far.")
    .option('-o, --output <file>', 'where to')
    .argument('[service]')
  program.command('secret', { hidden: true })
  const group = program.command('token').description('Tokens.')
  group.command('add').description('Add one.').option('--role <role>', 'its role').argument('<file...>')
  group.command('load').option('-f, --file <file...>', 'files')
  group.command('list').addArgument(new Argument('<kind>').choices(['all', 'mine']))
  return program
}

/** What bash offers with the cursor at the end of `line`; `FILES` where it is told to offer file names. */
function offered(script: string, program: string, line: string): string[] {
  const words = line.split(' ')
  const asked = `
compopt() { echo FILES; }
${script}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}
_${program}
printf '%s\\n' "\${COMPREPLY[@]}"`
  const { stdout, stderr } = spawnSync('bash', ['--norc', '-c', asked], { encoding: 'utf8' })
  expect(stderr).toBe('')
  return stdout.split('\n').filter((word) => word !== '')
}

test.each([
  { line: 'tool ', offers: ['plain', 'token'] },
  { line: 'tool pl', offers: ['plain'] },
  { line: 'tool secret ', offers: ['plain', 'token'] },
  { line: 'tool plain ', offers: [] },
  { line: 'tool plain --', offers: ['--output', '--help'] },
  { line: 'tool plain --output ', offers: ['FILES'] },
  { line: 'tool plain -o x', offers: ['FILES'] },
  { line: 'tool token ', offers: ['add', 'load', 'list'] },
  { line: 'tool token add ', offers: ['FILES'] },
  { line: 'tool token add --role ', offers: [] },
  { line: 'tool token add --role x -', offers: ['--role', '-h', '--help'] },
  { line: 'tool token load ', offers: ['FILES'] },
  { line: 'tool token load --file x ', offers: ['FILES'] },
  { line: 'tool token list ', offers: ['all', 'mine'] },
  { line: 'tool token list m', offers: ['mine'] },
])('bash offers $offers after "$line"', ({ line, offers }) => {
  expect(offered(completionScript('bash', sample()), 'tool', line)).toEqual(offers)
})

test.each<Shell>(['bash', 'zsh', 'fish'])(
  '%s: every command and flag that help names, in a script without mistakes',
  (shell) => {
    const script = holdfast('completion', shell)
    const names = [...holdfast('--help').matchAll(/^ {2}([a-z-]+) /gm)].map(([, name]) => name!)
    const commands = names.filter((name) => !name.startsWith('-') && name !== 'help')
    expect(commands).toContain('completion')
    for (const command of commands) expect(script).toMatch(new RegExp(`\\b${command}\\b`))
    expect(script).toContain(shell === 'fish' ? '-l elsewhere' : '--elsewhere')
    const file = folder.file(`completion.${shell}`)
    writeFileSync(file, script)
    const { error, stderr } = spawnSync(shell, ['-n', file], { encoding: 'utf8' })
    // zsh and fish are not everywhere; where they are, they have read the script.
    if (error === undefined) expect(stderr).toBe('')
  },
)

test('descriptions are quoted for each shell', () => {
  expect(completionScript('zsh', sample())).toContain(`'plain:It'\\''s plain'`)
  expect(completionScript('fish', sample())).toContain(`-a plain -d 'It'\\''s plain'`)
})

test('a shell that is not one of the three is wrong usage', () => {
  const { status, stderr } = spawnSync(process.execPath, [main, 'completion', 'tcsh'], { encoding: 'utf8' })
  expect({ status, stderr }).toMatchObject({ status: 2, stderr: expect.stringContaining('bash, zsh, fish') })
})
