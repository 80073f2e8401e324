/** `npm run fuzz`: ten million mutated packets. `--seed N` for the same again, `--from N` and `--count N` for a part. */
import { parseArgs } from 'node:util'
import { blockLength, FuzzFailure, fuzz, type Progress } from './fuzz.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    from: { type: 'string', default: '0' },
    count: { type: 'string', default: '10000000' },
  },
})
const [seed, from, count] = [values.seed, values.from, values.count].map(Number) as [number, number, number]
if (![seed, from, count].every((number) => Number.isInteger(number) && number >= 0) || count === 0) {
  console.error('usage: npm run fuzz -- [--seed N] [--from N] [--count N], all whole numbers')
  process.exit(2)
}

const million = 1_000_000
const began = process.hrtime.bigint()
let told = 0

function tell({ packets, admitted }: Progress): void {
  const seconds = Number(process.hrtime.bigint() - began) / 1e9
  const memory = Math.round(process.memoryUsage().rss / 2 ** 20)
  const rate = Math.round(packets / seconds)
  console.log(
    `${packets} packets, ${admitted} admitted, ${rate} a second, ${memory} MiB; next --from ${from + packets}`,
  )
}

console.log(`seed ${seed}, packets ${from} to ${from + count - 1}`)
try {
  const all = fuzz({ seed, from, count }, (progress) => {
    if (progress.packets < told + million) return true
    told += million
    tell(progress)
    return true
  })
  if (all.packets % million !== 0) tell(all)
  console.log(`discarded: ${JSON.stringify(all.discards)}`)
  console.log('everything held')
} catch (failure) {
  if (!(failure instanceof FuzzFailure)) throw failure
  const start = failure.packet - (failure.packet % blockLength)
  console.error(failure.message)
  console.error(`again: npm run fuzz -- --seed ${seed} --from ${start} --count ${failure.packet - start + 1}`)
  process.exitCode = 1
}
