/** Runs `nft`: a whole list of commands, of which all take effect or none. */
import { spawn } from 'node:child_process'

/** Longer than any list of ours takes on a busy machine. */
const patienceMs = 10_000

const environment = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C' }

/** Null when it is done; else why not, and what to do. */
export function runNft(commands: string): Promise<string | null> {
  return new Promise((resolve) => {
    const nft = spawn('nft', ['-f', '-'], {
      stdio: ['pipe', 'ignore', 'pipe'],
      env: environment,
      timeout: patienceMs,
      killSignal: 'SIGKILL',
    })
    let said = ''
    nft.stderr.setEncoding('utf8')
    nft.stderr.on('data', (text: string) => {
      said += text
    })
    nft.on('error', ({ message, code }: NodeJS.ErrnoException) =>
      resolve(code === 'ENOENT' ? 'nft is not installed (apt install nftables)' : `nft can’t run: ${message}`),
    )
    nft.on('close', (code) => resolve(code === 0 ? null : explain(said, code)))
    // One that ends before it has read everything says why by itself.
    nft.stdin.on('error', () => {})
    nft.stdin.end(commands)
  })
}

function explain(said: string, code: number | null): string {
  if (/not permitted|permission denied|must be root/i.test(said))
    return 'nft is not permitted (run as root, or grant CAP_NET_ADMIN)'
  const [first = ''] = said.split('\n')
  return `nft refused it: ${first.replace(/^.*?Error: /, '') || `exit code ${code}`}`
}
