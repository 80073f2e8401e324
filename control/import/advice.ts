/** What to do instead, for each of keepalived's keywords that an agent configuration has no key for. Pure. */

/** Nothing is lost: Holdfast does this anyway, or there is nothing to do. */
export type Advice = { readonly kind: 'carried' | 'dropped'; readonly text: string }

const always = (text: string): Advice => ({ kind: 'carried', text: `nothing to write: ${text}` })
const instead = (text: string): Advice => ({ kind: 'dropped', text })

const mail = instead('Holdfast sends no mail: follow holdfast events, or alert on its status and metrics')
const host = instead(
  'addresses, routes and rules of the host belong to its network manager (systemd-networkd, netplan)',
)
const lvs = instead(
  'Holdfast does not configure LVS: leave this in a keepalived without vrrp_instance (keepalived --check)',
)
const garp = instead('Holdfast has no such setting: announce is {repeat, again, refresh} for every address')
const realTime = always('the VRRP process runs in real time with its memory locked (realtime: true)')
const scripts = instead(
  'checks have no such setting: let the program drop its privileges itself, for example with setpriv',
)
const process = instead('Holdfast has no such setting; systemd starts, limits and restarts the agent')
const filter = always('accept: false has an nftables table of its own, and no other packet filter is touched')
const source = instead('advertisements leave with the interface’s first address')
const fifo = instead('Holdfast has no FIFO: follow holdfast events, or ask the agent’s status socket')
const output = instead('Holdfast has no such output: holdfast status --json shows states and counters')

const table: Readonly<Record<string, Advice>> = {
  router_id: instead('a node is called by its host name; write node: to call it otherwise'),
  notification_email: mail,
  notification_email_from: mail,
  smtp_server: mail,
  smtp_helo_name: mail,
  smtp_connect_timeout: mail,
  smtp_alert: mail,
  smtp_alert_vrrp: mail,
  smtp_alert_checker: mail,
  email_faults: mail,
  no_email_faults: mail,
  static_ipaddress: host,
  static_routes: host,
  static_rules: host,
  virtual_routes: instead('routes do not move with a service: add them for good, with the service’s address as source'),
  virtual_rules: instead('rules do not move with a service: add them for good in the host’s network manager'),
  virtual_server: lvs,
  virtual_server_group: lvs,
  lvs_sync_daemon: lvs,
  lvs_sync_daemon_interface: lvs,
  lvs_timeouts: lvs,
  lvs_flush: lvs,
  lvs_flush_onstop: lvs,
  lvs_flush_on_stop: lvs,
  SSL: lvs,
  checker_log_all_failures: lvs,
  bfd_instance: instead('Holdfast has no BFD: a check of kind tcp, http or exec with a short interval comes closest'),
  track_bfd: instead('Holdfast has no BFD: a check of kind tcp, http or exec with a short interval comes closest'),
  garp_group: garp,
  vrrp_garp_interval: garp,
  vrrp_gna_interval: garp,
  garp_extra_if: garp,
  vmac_garp_intvl: garp,
  garp_master_refresh_repeat: garp,
  garp_lower_prio_repeat: garp,
  garp_lower_prio_delay: garp,
  vrrp_garp_master_refresh_repeat: garp,
  vrrp_garp_lower_prio_repeat: garp,
  vrrp_garp_lower_prio_delay: garp,
  vrrp_higher_prio_send_advert: always('the node that takes over announces the addresses itself'),
  higher_prio_send_advert: always('the node that takes over announces the addresses itself'),
  vrrp_lower_prio_no_advert: instead('RFC 9568 answers a lower priority at once, so that switches learn'),
  lower_prio_no_advert: instead('RFC 9568 answers a lower priority at once, so that switches learn'),
  vrrp_skip_check_adv_addr: always('a different list of addresses is no reason to drop an advertisement'),
  skip_check_adv_addr: always('a different list of addresses is no reason to drop an advertisement'),
  vrrp_check_unicast_src: always('a unicast service hears its peers only'),
  check_unicast_src: always('a unicast service hears its peers only'),
  unicast_fault_no_peer: always('a service that is unicast has peers, or its configuration is refused'),
  old_unicast_checksum: instead('it is for keepalived 1.3.6 and older, which must be replaced'),
  vrrp_iptables: filter,
  vrrp_ipsets: filter,
  nftables: filter,
  vrrp_priority: realTime,
  vrrp_no_swap: realTime,
  vrrp_rt_priority: realTime,
  vrrp_rlimit_rttime: realTime,
  vrrp_rlimit_rtime: realTime,
  vrrp_cpu_affinity: realTime,
  max_auto_priority: realTime,
  min_auto_priority_delay: realTime,
  timer_expired_backup: always('a process that slept too long steps down before it sends anything'),
  script_user: scripts,
  enable_script_security: scripts,
  script_security: scripts,
  use_symlink_paths: scripts,
  process_names: process,
  net_namespace: process,
  instance: process,
  use_pid_dir: process,
  child_wait_time: process,
  umask: process,
  startup_script: process,
  shutdown_script: process,
  reload_check_config: always('a bad file is refused before anything changes'),
  vrrp_delay_after_boot: instead('startDelay counts from the start of the agent, not from that of the machine'),
  startup_delay: instead('startDelay of each service is how long it waits after the start of the agent'),
  dynamic_interfaces: instead('the interface must exist when the agent starts: let systemd start it after the network'),
  interface_up_down_delays: instead('Holdfast has no such setting; a check of kind interface has rise and fall'),
  linkbeat_use_polling: always('interfaces are watched by netlink'),
  linkbeat_interfaces: always('interfaces are watched by netlink'),
  notify_fifo: fifo,
  notify_fifo_script: fifo,
  vrrp_notify_fifo: fifo,
  vrrp_notify_fifo_script: fifo,
  lvs_notify_fifo: fifo,
  lvs_notify_fifo_script: fifo,
  notify_priority_changes: fifo,
  vrrp_notify_priority_changes: fifo,
  enable_snmp_vrrp: output,
  enable_snmp_keepalived: output,
  enable_snmp_rfc: output,
  enable_snmp_rfcv2: output,
  enable_snmp_rfcv3: output,
  enable_snmp_checker: output,
  enable_traps: output,
  snmp_socket: output,
  enable_dbus: output,
  dbus_service_name: output,
  log_unknown_vrids: output,
  debug: always('the log has levels'),
  vrrp_mcast_group4: instead('advertisements go to 224.0.0.18, as RFC 9568 says'),
  vrrp_mcast_group6: instead('advertisements go to ff02::12, as RFC 9568 says'),
  mcast_dst_ip: instead('advertisements go to 224.0.0.18, as RFC 9568 says'),
  mcast_src_ip: source,
  track_src_ip: source,
  vrf: source,
  dont_track_primary: instead('a service whose own interface is down is in fault'),
  native_ipv6: always('the first address says which family is spoken'),
  promote_secondaries: always('it is set on every interface of a service'),
  auth_hmac: instead('Holdfast does not have it: keep VRRP on a network of its own'),
  vmac_xmit_base: instead('with virtualMac: true advertisements have the virtual MAC, as RFC 9568 says'),
  vmac_addr: instead('Holdfast has no such setting: it goes with a virtual MAC'),
  use_vmac_addr: instead('Holdfast has no such setting: it goes with a virtual MAC'),
  use_ipvlan: instead('Holdfast has no such setting: addresses are on the interface itself'),
  no_virtual_ipaddress: instead('a service has at least one address'),
  owner_ignore_adverts: always('the address owner is priority 255'),
  sync_group_tracking_weight: instead('the nodes’ priorities decide; give every member the same checks'),
  global_tracking: instead('the nodes’ priorities decide; give every member the same checks'),
  track_group: host,
}

/** For a keyword that nobody knows, keepalived itself goes on without it. */
export function adviceOn(keyword: string): Advice {
  if (Object.hasOwn(table, keyword)) return table[keyword]!
  if (/^(checker|bfd)_/.test(keyword)) return lvs
  return instead('Holdfast has nothing of this name; keepalived goes on without keywords that it does not know either')
}
