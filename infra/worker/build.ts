/**
 * Bundles the Worker exactly as `wrangler deploy` would, without deploying it: `npm run build:worker [FOLDER]`.
 *
 * Says how large it is, since Cloudflare takes no more than 3 MiB compressed (10 MiB on the paid plan).
 */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { projectRoot, startWrangler } from './wrangler.ts'

export type WorkerBundle = { readonly file: string; readonly bytes: number; readonly gzipBytes: number }

/** Throws with what wrangler said when it fails. `config`: default that of this project. */
export async function buildWorker(folder: string, config = join(projectRoot, 'wrangler.toml')): Promise<WorkerBundle> {
  const child = startWrangler(['deploy', '--dry-run', '--config', config, '--outdir', folder], 'pipe')
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
  }
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`wrangler deploy --dry-run ended with ${code}:\n${said}`)
  const file = join(folder, 'main.js')
  const text = readFileSync(file)
  return { file, bytes: text.length, gzipBytes: gzipSync(text).length }
}

if (import.meta.main) {
  const { file, bytes, gzipBytes } = await buildWorker(process.argv[2] ?? join(projectRoot, '.wrangler/bundle'))
  const kib = (count: number): string => `${Math.round(count / 1024)} KiB`
  process.stdout.write(`${file}: ${kib(bytes)}, compressed ${kib(gzipBytes)}\n`)
}
