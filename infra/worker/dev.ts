/** `npm run dev:worker`: the Worker on this machine, offline, at http://127.0.0.1:8787; further arguments are wrangler's. */
import { startWrangler } from './wrangler.ts'

const child = startWrangler(['dev', '--local', '--ip', '127.0.0.1', ...process.argv.slice(2)], 'inherit')
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal))
child.on('exit', (code) => process.exit(code ?? 1))
