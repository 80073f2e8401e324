/** A control in the lab that says what the test wants it to, in place of the real one, on 10.77.0.9. */
import { join } from 'node:path'
import type { Command, Report } from '../../control/contract.ts'
import type { Lab } from '../../infra/lab/topology.ts'
import { eventually } from './eventually.ts'

export type ControlLine =
  | { readonly kind: 'listening' }
  | { readonly kind: 'report'; readonly node: string; readonly report: Report }
  | { readonly kind: 'ping'; readonly node: string }

/** `drop`: ends all links, without a farewell. */
export type ControlOrder = { readonly node: string; readonly commands: readonly Command[] } | 'drop'

export type LabControl = {
  /** For an agent's configuration. */
  readonly config: { readonly url: string; readonly token: string }
  /** All that an agent has said, in order; it grows. */
  heard(node: string): readonly Exclude<ControlLine, { kind: 'listening' }>[]
  /** Waits for a last report of a node in which the service looks like this. */
  untilReported(node: string, service: string, expected: object): Promise<Report>
  tell(node: string, ...commands: readonly Command[]): void
  /** Ends all links without a farewell; their agents may open others. */
  dropLinks(): void
  /** It goes on holding its connections and answers nothing, as a machine that is cut off. */
  freeze(): void
  thaw(): void
}

export async function startLabControl(lab: Lab): Promise<LabControl> {
  const [host, port] = ['10.77.0.9', '8080']
  const lines: Exclude<ControlLine, { kind: 'listening' }>[] = []
  const complaints: string[] = []
  const listening = Promise.withResolvers<void>()
  const program = await lab.spawn(process.execPath, [join(import.meta.dirname, 'lab-control-main.ts'), host!, port!], {
    onLine(text, stream) {
      if (stream === 'stderr') return void complaints.push(text)
      const line = JSON.parse(text) as ControlLine
      if (line.kind === 'listening') listening.resolve()
      else lines.push(line)
    },
  })
  void program.exited.then(() => listening.reject(new Error(`the lab's control ended: ${complaints.join(' ')}`)))
  await listening.promise
  const heard = (node: string) => lines.filter((line) => line.node === node)
  return {
    config: { url: `http://${host}:${port}`, token: 'any' },
    heard,
    untilReported: (node, service, expected) =>
      eventually(
        () => heard(node).findLast((line) => line.kind === 'report')?.report as Report,
        (report) => expectFits(report?.services[service], expected),
        { withinMs: 30_000 },
      ),
    tell: (node, ...commands) => void program.stdin.write(`${JSON.stringify({ node, commands })}\n`),
    dropLinks: () => void program.stdin.write(`${JSON.stringify('drop' satisfies ControlOrder)}\n`),
    freeze: () => program.freeze(),
    thaw: () => program.thaw(),
  }
}

function expectFits(said: object | undefined, expected: object): void {
  const different = Object.entries(expected).some(([key, value]) => said?.[key as keyof typeof said] !== value)
  if (different) throw new Error(`reported ${JSON.stringify(said)}, not ${JSON.stringify(expected)}`)
}
