/**
 * One `vrrp_instance` as a service. Pure.
 *
 * keepalived corrects much of what it reads (nopreempt with `state MASTER`, a priority out of range, an interval that
 * version 2 cannot say); what is carried over is what it would do, not what is written.
 */
import { isIpv6, isLinkLocal, readAddress } from './addresses.ts'
import { adviceOn } from './advice.ts'
import { durationText, settingsOf, type Tracked } from './checks.ts'
import type { Part, Plain } from './draft.ts'
import { type NotifyOptions, notifyFinding } from './notify.ts'
import type { Finding, Position } from './source.ts'
import type { Statement } from './tree.ts'

export type InstanceOptions = {
  /** Of the service. */
  readonly name: string
  /** The settings of `global_defs`. */
  readonly globals: ReadonlyMap<string, Statement>
  readonly tracked: readonly Tracked[]
  readonly notify: NotifyOptions
  readonly say: (finding: Finding) => void
  /** The environment variable that must hold a password, and how much of it keepalived reads. */
  readonly secret: (variable: string, secret: Secret) => void
}

export type Secret = { readonly at: Position; readonly truncated: boolean }

type Instance = InstanceOptions & {
  readonly statement: Statement
  readonly settings: ReadonlyMap<string, Statement>
  readonly version: 2 | 3
  /** What VRRP is spoken in. */
  readonly ipv6: boolean
  readonly strict: boolean
  readonly master: boolean
}

/** Handled here, or where tracking is. Anything else gets a word of advice. */
const carried = new Set(
  `interface virtual_router_id priority advert_int version state nopreempt preempt preempt_delay accept no_accept
  garp_master_repeat garp_master_delay garp_master_refresh virtual_ipaddress virtual_ipaddress_excluded authentication
  unicast_peer unicast_src_ip unicast_ttl use_vmac strict_mode v3_checksum_as_v2 down_timer_adverts track_interface
  track_script track_process track_file`.split(/\s+/),
)

export function readInstance(statement: Statement, options: InstanceOptions): Part {
  const settings = settingsOf(statement)
  const { globals, name } = options
  const lines = [settings.get('virtual_ipaddress'), settings.get('virtual_ipaddress_excluded')]
  const first = lines.flatMap((block) => block?.block ?? [])[0]
  const asked = Number((settings.get('version') ?? globals.get('vrrp_version'))?.words[1] ?? 2)
  const ipv6 = first !== undefined && isIpv6(first)
  const strict = settings.has('strict_mode')
    ? settings.get('strict_mode')?.words[1] !== 'off'
    : globals.has('vrrp_strict')
  const instance: Instance = {
    ...options,
    statement,
    settings,
    strict,
    ipv6,
    // Version 2 has no IPv6.
    version: asked === 3 || ipv6 ? 3 : 2,
    master: settings.get('state')?.words[1] === 'MASTER',
  }
  explainRest(instance)
  const written = statement.words[1] ?? ''
  const what = `vrrp_instance ${written}`
  const parts = [
    ...required(instance, 'interface', 'interface', (text) => text),
    ...required(instance, 'vrid', 'virtual_router_id', Number),
    ...priority(instance),
    ...addresses(instance),
    ...interval(instance),
    ...protocol(instance),
    ...patience(instance),
    ...preempt(instance),
    ...announce(instance),
    ...accept(instance),
    ...unicast(instance),
    ...authentication(instance),
    ...checks(instance),
  ]
  const service: Part = { key: name, what, at: statement.at, content: { kind: 'map', parts } }
  return name === written ? service : { ...service, note: `its name was ${written}` }
}

function part(key: string, { words, at }: Statement, value: Plain, note?: string): Part {
  const made: Part = { key, what: words[0] ?? key, at, content: { kind: 'value', value } }
  return note === undefined ? made : { ...made, note }
}

function explainRest({ settings, notify, say }: Instance): void {
  for (const [keyword, setting] of settings) {
    if (keyword.startsWith('notify') && !keyword.startsWith('notify_priority')) say(notifyFinding(setting, notify))
    else if (!carried.has(keyword)) {
      const { kind, text } = adviceOn(keyword)
      say({ ...setting.at, kind, what: keyword, text })
    }
  }
  const state = settings.get('state')
  if (state !== undefined) {
    const text = 'nothing to write: every service starts as a backup, and priorities decide'
    say({ ...state.at, kind: 'carried', what: 'state', text })
  }
}

function required({ settings }: Instance, key: string, keyword: string, read: (text: string) => Plain): Part[] {
  const setting = settings.get(keyword)
  return setting === undefined ? [] : [{ ...part(key, setting, read(setting.words[1] ?? '')), required: true }]
}

/** With the sum of the positive weights, which its checks take away again when they fail. */
function priority({ settings, statement, master, tracked }: Instance): Part[] {
  const setting = settings.get('priority')
  const written = Number(setting?.words[1])
  const usual = master ? 255 : 100
  const valid = setting !== undefined && Number.isInteger(written) && written >= 1 && written <= 255
  const base = valid ? written : setting === undefined ? usual : 100
  const raise = base === 255 ? 0 : tracked.reduce((sum, { raise }) => sum + raise, 0)
  const value = base === 255 ? 255 : Math.min(base + raise, 254)
  const notes = [
    ...(setting === undefined && master ? ['keepalived takes 255 for state MASTER without a priority'] : []),
    ...(setting !== undefined && !valid ? [`keepalived takes 100 for "${setting.words[1] ?? ''}"`] : []),
    ...(raise > 0 ? [`${base}, and ${raise} for the checks that add to it while they succeed`] : []),
    ...(base + raise > 254 && base !== 255 ? ['it ends at 254, so a failed check takes away more than it adds'] : []),
  ]
  if (setting === undefined && notes.length === 0) return []
  return [part('priority', setting ?? statement, value, notes.length > 0 ? notes.join('; ') : undefined)]
}

function addresses({ settings, statement, ipv6, say }: Instance): Part[] {
  const own = settings.get('interface')?.words[1]
  const blocks = [
    { block: settings.get('virtual_ipaddress'), excluded: false },
    { block: settings.get('virtual_ipaddress_excluded'), excluded: true },
  ]
  const lines = blocks.flatMap(({ block, excluded }) => (block?.block ?? []).map((line) => ({ line, excluded })))
  const items = lines.flatMap(({ line, excluded }) => readAddress(line, { interface: own, excluded, ipv6, say }) ?? [])
  const at = blocks.find(({ block }) => block !== undefined)?.block?.at ?? statement.at
  const parts = ipv6 && !lines.some(({ line }) => isLinkLocal(line)) ? [linkLocal(settings, at), ...items] : items
  return [{ key: 'addresses', what: 'virtual_ipaddress', at, required: true, content: { kind: 'list', parts } }]
}

/** keepalived does without one, unless it is strict. */
function linkLocal(settings: Instance['settings'], at: Position): Part {
  const value = `fe80::${settings.get('virtual_router_id')?.words[1] ?? '1'}/64`
  const note = 'added, since RFC 9568 has a link-local address first: add it on all nodes, or choose another'
  return { key: '', what: 'virtual_ipaddress', at, note, content: { kind: 'value', value } }
}

function interval({ settings, version }: Instance): Part[] {
  const setting = settings.get('advert_int')
  if (setting === undefined) return []
  const seconds = Number(setting.words[1])
  const said = version === 2 ? Math.max(1, Math.round(seconds)) : Math.round(seconds * 100) / 100
  const note = said === seconds ? undefined : `keepalived takes ${said}s for ${setting.words[1] ?? ''}`
  return [part('interval', setting, durationText(said), note)]
}

/** keepalived sums version 3 with a pseudo-header, as RFC 5798 was read; and it speaks version 2 unless told otherwise. */
function protocol({ settings, globals, statement, version, ipv6, strict }: Instance): Part[] {
  const origin = settings.get('version') ?? globals.get('vrrp_version') ?? statement
  const what = origin === statement ? 'version 2 (keepalived’s default)' : `version ${version}`
  const checksum = settings.has('v3_checksum_as_v2') ? 'rfc9568' : 'rfc5798'
  const strictly = settings.get('strict_mode') ?? globals.get('vrrp_strict')
  return [
    { ...part('version', origin, version), what },
    ...(version === 2 || ipv6 ? [] : [{ ...part('checksum', origin, checksum), what: 'checksum' }]),
    ...(strict && strictly !== undefined ? [part('profile', strictly, 'strict')] : []),
  ]
}

/** How long it waits: for a silent active node, and after its start. */
function patience({ settings, globals }: Instance): Part[] {
  const down = settings.get('down_timer_adverts') ?? globals.get('vrrp_down_timer_adverts')
  const start = globals.get('vrrp_startup_delay')
  return [
    ...(down === undefined ? [] : [part('down', down, Number(down.words[1]))]),
    ...(start === undefined ? [] : [part('startDelay', start, durationText(Number(start.words[1])))]),
  ]
}

function preempt({ settings, master, strict, say }: Instance): Part[] {
  const [never, delay] = [settings.get('nopreempt'), settings.get('preempt_delay')]
  const owner = Number(settings.get('priority')?.words[1]) === 255
  const ignored = (statement: Statement | undefined, why: string): Part[] => {
    if (statement === undefined) return []
    say({
      ...statement.at,
      kind: 'changed',
      what: statement.words[0]!,
      text: `left out, since keepalived ignores it ${why}`,
    })
    return []
  }
  if (master || owner) {
    const why = master ? 'with state MASTER' : 'with priority 255'
    return [...ignored(never, why), ...ignored(delay, why)]
  }
  if (never !== undefined) return [part('preempt', never, false), ...ignored(delay, 'with nopreempt')]
  if (strict) return ignored(delay, 'with vrrp_strict')
  const seconds = Number(delay?.words[1])
  return delay !== undefined && seconds > 0 ? [part('preempt', delay, { delay: durationText(seconds) })] : []
}

function announce({ settings, globals, statement }: Instance): Part[] {
  const find = (name: string): Statement | undefined => settings.get(name) ?? globals.get(`vrrp_${name}`)
  const minimal = globals.get('vrrp_min_garp')
  const parts = [
    { key: 'repeat', setting: find('garp_master_repeat'), read: (text: string): Plain => Number(text) },
    { key: 'again', setting: find('garp_master_delay'), read: (text: string): Plain => durationText(Number(text)) },
    { key: 'refresh', setting: find('garp_master_refresh'), read: (text: string): Plain => durationText(Number(text)) },
  ].flatMap(({ key, setting, read }) =>
    setting === undefined ? [] : [part(key, setting, read(setting.words[1] ?? ''))],
  )
  if (minimal !== undefined && parts.length === 0) parts.push(part('repeat', minimal, 1), part('again', minimal, '0s'))
  const at = parts[0]?.at ?? statement.at
  return parts.length === 0 ? [] : [{ key: 'announce', what: 'garp_master_*', at, content: { kind: 'map', parts } }]
}

function accept({ settings, globals, strict }: Instance): Part[] {
  const mac = settings.get('use_vmac')
  const refused =
    settings.get('no_accept') ?? (strict && !settings.has('accept') ? globals.get('vrrp_strict') : undefined)
  const setting = refused ?? (strict ? settings.get('strict_mode') : undefined)
  const owner = Number(settings.get('priority')?.words[1]) === 255
  return [
    ...(setting === undefined || owner || settings.has('accept') ? [] : [part('accept', setting, false)]),
    ...(mac === undefined ? [] : [part('virtualMac', mac, true)]),
  ]
}

/** keepalived takes any TTL from a peer, unless the peer's line says otherwise; over IPv6 it sends the kernel's 64. */
function unicast({ settings }: Instance): Part[] {
  const peers = settings.get('unicast_peer')
  if (peers === undefined) return []
  const source = settings.get('unicast_src_ip')?.words[1]
  const others = peers.block.filter(({ words }) => words[0] !== source)
  const ttl = Number(settings.get('unicast_ttl')?.words[1] ?? 255)
  const least = others.map(({ words }) => Number(words[words.indexOf('min_ttl') + 1]) || 1)
  const minTtl = Math.min(...least, 255)
  const value = {
    ...(source === undefined ? {} : { source }),
    peers: others.map(({ words }) => words[0]!),
    ...(ttl === 255 ? {} : { ttl }),
    ...(minTtl === 255 ? {} : { minTtl }),
  }
  const note = 'keepalived looks at no TTL of its peers; leave minTtl out where all of them send 255 on one link'
  return [part('unicast', peers, value, minTtl === 1 ? note : undefined)]
}

/** The password itself goes nowhere: into no output, no finding and no comment. */
function authentication({ settings, version, strict, name, say, secret }: Instance): Part[] {
  const block = settings.get('authentication')
  if (block === undefined) return []
  const drop = (text: string): Part[] => {
    say({ ...block.at, kind: 'dropped', what: 'authentication', text })
    return []
  }
  const type = settingsOf(block).get('auth_type')?.words[1]
  if (version === 3 || strict) return drop('keepalived ignores it with version 3 and with vrrp_strict')
  if (type !== 'PASS') return drop('only auth_type PASS has a counterpart; it keeps out nobody who can listen')
  const variable = `HOLDFAST_${name.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')}_PASSWORD`
  const password = settingsOf(block).get('auth_pass')
  secret(variable, { at: password?.at ?? block.at, truncated: (password?.words[1]?.length ?? 0) > 8 })
  return [part('authentication', block, { type: 'pass', password: `\${${variable}}` })]
}

function checks({ tracked, statement }: Instance): Part[] {
  const parts = tracked.map(({ check }) => check)
  const at = parts[0]?.at ?? statement.at
  return parts.length === 0
    ? []
    : [{ key: 'checks', what: 'tracking', at, each: true, content: { kind: 'list', parts } }]
}
