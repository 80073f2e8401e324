/** Asks the person at the terminal. */
import { createInterface } from 'node:readline/promises'

/** Whether somebody is there to answer. */
export function canAsk(): boolean {
  return process.stdin.isTTY === true
}

/** On standard error, so that what a command prints stays clean. Anything but a clear yes is a no; so is Ctrl-C. */
export async function confirm(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  const cancelled = new Promise<string>((resolve) =>
    terminal.once('SIGINT', () => resolve('')).once('close', () => resolve('')),
  )
  try {
    const answer = await Promise.race([terminal.question(`${question} [y/N] `), cancelled])
    return /^y(es)?$/i.test(answer.trim())
  } finally {
    terminal.close()
  }
}
