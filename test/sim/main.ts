/** `npm run sim -- --seed N`: one run of the simulator, its trace, and whether everything held. `--runs N`: so many seeds from there. */
import { parseArgs } from 'node:util'
import { judge } from './judge.ts'
import { simulate } from './simulation.ts'

const { values } = parseArgs({ options: { seed: { type: 'string' }, runs: { type: 'string', default: '1' } } })
const first = Number(values.seed ?? Math.floor(Math.random() * 2 ** 32))
const runs = Number(values.runs)
if (!Number.isInteger(first) || !Number.isInteger(runs) || runs < 1) {
  console.error('usage: npm run sim -- [--seed N] [--runs N], both whole numbers')
  process.exit(2)
}
console.log(`seed ${first}${runs > 1 ? ` and the ${runs - 1} after it` : ''}`)
for (let seed = first; seed < first + runs; seed += 1) {
  const { world, faults } = await simulate({ seed })
  const wrong = judge(world)
  if (runs === 1) {
    for (const fault of faults) console.log(`fault ${JSON.stringify(fault)}`)
    for (const line of world.trace) console.log(line)
  }
  world.control.close()
  for (const problem of wrong) console.log(`seed ${seed}: ${problem}`)
  if (wrong.length > 0) process.exitCode = 1
}
console.log(process.exitCode === 1 ? 'something did not hold' : 'everything held')
