/** `holdfast reload`: the local agent reads its configuration again, and says what is different. */
import { describeChanges, type ReloadOutcome } from '../../node-agent/reload.ts'
import { postToAgent } from './client.ts'
import { CommandError } from './failure.ts'
import { defaultSocket } from './status-source.ts'

/** A VRRP process that is to end waits for its successor, at most an interval; one that is changed answers at once. */
const withinMs = 330_000

type Options = { readonly socket?: string; readonly json?: boolean }

export async function runReloadCommand({ socket, json = false }: Options): Promise<void> {
  const outcome = (await postToAgent(socket || defaultSocket, '/v1/reload', { withinMs })) as ReloadOutcome
  if (json) process.stdout.write(`${JSON.stringify(outcome)}\n`)
  switch (outcome.kind) {
    case 'reloaded':
      if (!json) process.stdout.write(`${describeChanges(outcome).join('\n')}\n`)
      return
    case 'refused':
      process.stderr.write(outcome.problems.map((problem) => `${problem}\n`).join(''))
      process.exitCode = 2
      return
    case 'failed':
      throw new CommandError(outcome.problem)
  }
}
