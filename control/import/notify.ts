/** Notify scripts: what they were for, as far as one can see, and what does it now. Pure. */
import type { Finding, Peek } from './source.ts'
import type { Statement } from './tree.ts'
import { splitCommand, unclosedQuote } from './words.ts'

export type NotifyOptions = {
  readonly peek: Peek
  /** The adapters that this version has. */
  readonly adapters: readonly string[]
}

/** What a script says when it moves something, and the adapter whose work that is. */
const signs: readonly { readonly sign: RegExp; readonly adapter: string; readonly thing: string }[] = [
  {
    sign: /associate-address|associate_address|assign-private-ip-addresses/,
    adapter: 'aws-eip',
    thing: 'an Elastic IP',
  },
  { sign: /replace-route|replace_route|create-route\b/, adapter: 'aws-route', thing: 'a route of a VPC' },
  { sign: /change-resource-record-sets|route53/i, adapter: 'aws-route53', thing: 'a Route 53 record' },
  { sign: /api\.cloudflare\.com|\bcloudflare\b/i, adapter: 'cloudflare-dns', thing: 'a Cloudflare record' },
  { sign: /\bnsupdate\b/, adapter: 'rfc2136', thing: 'a DNS record' },
  { sign: /hcloud\b|api\.hetzner\.cloud|robot-ws\.your-server/, adapter: 'hetzner', thing: 'a Hetzner floating IP' },
  { sign: /\bgcloud\b|compute\.googleapis/, adapter: 'gcp', thing: 'a Google Cloud address or route' },
  { sign: /\baz network\b|management\.azure\.com/, adapter: 'azure', thing: 'an Azure address or route' },
  { sign: /\bdoctl\b|api\.digitalocean\.com/, adapter: 'digitalocean', thing: 'a DigitalOcean reserved IP' },
  { sign: /ip fail-?over|api\.ovh\.com|ovh\.com\/1\.0/i, adapter: 'ovh', thing: 'an OVH failover IP' },
]

export function notifyFinding(statement: Statement, { peek, adapters }: NotifyOptions): Finding {
  const [keyword = ''] = statement.words
  const finding = (text: string): Finding => ({ ...statement.at, kind: 'dropped', what: keyword, text })
  const found = signs.find(({ sign }) => sign.test(scriptText(statement, peek)))
  if (found === undefined) {
    return finding(
      'Holdfast runs no script on a change: what must point at the active node is a binding of control; to be told, follow holdfast events',
    )
  }
  const { adapter, thing } = found
  const moves = `it moves ${thing}, which a binding of control does, again and again until it is so`
  return finding(
    adapters.includes(adapter)
      ? `${moves}: give the service one with adapter: ${adapter} in control’s configuration`
      : `${moves}; this version has no adapter for it (it has ${adapters.join(', ')})`,
  )
}

/** The command, and what it runs where that can be read here. Neither is ever repeated: it may hold keys. */
function scriptText({ rest }: Statement, peek: Peek): string {
  const words = splitCommand(rest)
  const command = words === unclosedQuote ? '' : (words[0] ?? '')
  const paths = command.split(/\s/).filter((word) => word.startsWith('/'))
  return [rest, ...paths.flatMap((path) => peek(path) ?? [])].join('\n')
}
