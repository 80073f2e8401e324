/** The lines of `virtual_ipaddress` and `virtual_ipaddress_excluded`, as a service's addresses. Pure. */
import type { Part } from './draft.ts'
import type { Finding } from './source.ts'
import type { Statement } from './tree.ts'

type Options = {
  readonly interface: string | undefined
  readonly excluded: boolean
  /** Of the first address: the family that VRRP is spoken in. */
  readonly ipv6: boolean
  readonly say: (finding: Finding) => void
}

/** Options that need nothing of Holdfast: it does the same, or they only matter to people. */
const harmless = ['brd', 'broadcast', 'scope', 'home', '-nodad', 'noprefixroute', 'mngtmpaddr', 'autojoin']
const withValue = ['brd', 'broadcast', 'dev', 'scope', 'label', 'peer', 'preferred_lft', 'track_group']

export function isIpv6(line: Statement): boolean {
  return line.words[0]?.includes(':') === true
}

export function isLinkLocal(line: Statement): boolean {
  return /^fe[89ab]/i.test(line.words[0] ?? '')
}

/** Undefined: the address is not this service's, which has been said. */
export function readAddress(line: Statement, { interface: own, excluded, ipv6, say }: Options): Part | undefined {
  const [text = '', ...options] = line.words
  const what = `address ${text}`
  const drop = (reason: string): undefined => say({ ...line.at, kind: 'dropped', what, text: reason }) as undefined
  if (!/^[0-9a-f.:]+(\/\d+)?$/i.test(text)) return drop('is no address')
  const device = options[options.indexOf('dev') + 1]
  if (options.includes('dev') && device !== own) {
    return drop(`it is on ${device}, and all addresses of a service are on its own interface: give ${device} a service`)
  }
  if (options.includes('peer')) return drop('an address with a peer has no counterpart')
  const lost = options.filter(
    (word, i) => !withValue.includes(options[i - 1] ?? '') && word !== 'dev' && !harmless.includes(word),
  )
  const advertised = excluded && isIpv6(line) === ipv6
  const notes = [
    ...(advertised
      ? ['it is advertised now, and keepalived up to 2.3.2 refuses a list other than its own: move all nodes together']
      : []),
    ...(lost.length > 0 ? [`without ${lost.join(', ')}`] : []),
  ]
  const value = text.includes('/') ? text : `${text}/${isIpv6(line) ? 128 : 32}`
  const part: Part = { key: '', what, at: line.at, content: { kind: 'value', value } }
  return notes.length === 0 ? part : { ...part, note: notes.join('; ') }
}
