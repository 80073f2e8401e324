/** What `holdfast COMMAND --help` teaches beside the flags: what a command is for, how it is used, and how it ends. */

export type Page = {
  /** Its line in the list of commands. */
  readonly summary: string
  readonly description: string
  /** What is typed, and what that is good for. */
  readonly examples: readonly (readonly [typed: string, purpose: string])[]
  /** When it ends with 0 and with 1, where that is not plain. */
  readonly done?: string
  readonly failed?: string
}

export const manual = {
  status: {
    summary: 'show every service: its owner, what is wrong, what to do',
    description: `Shows each service on a line: who owns it, since when, and whether everything outside follows. Below it
stands what is wrong and, after an arrow, the next step; the worst comes first. With a control (--url) it shows what the
whole cluster does, without one what the agent of this machine does.`,
    examples: [
      ['holdfast status', 'all services of the control in HOLDFAST_URL, or of the local agent'],
      ['holdfast status web --watch', 'stay, and show what changes as it does'],
      ['holdfast status --socket /run/holdfast/agent.sock', 'ask the local agent though a control is named'],
      [`holdfast status --json | jq '.[] | select(.phase != "settled")'`, 'for scripts'],
    ],
    done: 'control or the agent answered, whatever the services do',
  },
  nodes: {
    summary: 'show every node: its link, when it was heard, what it runs',
    description: `Shows each node that control has heard of: whether its link stands, when it was last heard, whether it is
drained, and the state of each service on it. A node that is "silent" is connected and says nothing.`,
    examples: [['holdfast nodes', 'all nodes, by name']],
  },
  operations: {
    summary: 'list the moves there were, the newest first',
    description: `Lists moves of services, the newest first: those that somebody asked for (switchover, drain) and those that
nobody did (failover), with how long each took. One of them in full: holdfast operation ID.`,
    examples: [['holdfast operations --service web --limit 5', 'the last five moves of web']],
  },
  operation: {
    summary: 'show one move, step by step, with its times',
    description: `Shows one move: its steps with the time of each and, when it has ended, the failover report: how long it
took to notice, to decide, until each provider had accepted the change, and until it was read back.`,
    examples: [['holdfast operation op-k3v9x2m1q8zc --wait', 'stay until it has ended']],
    failed: 'there is no such move; with --wait also: it failed',
  },
  events: {
    summary: 'print the audit trail, or follow it',
    description: `Prints what was decided, by whom or from which report, and what came of it, the oldest first. With --follow it
goes on with what happens, also over a lost connection, without a gap and without giving anything twice.`,
    examples: [
      ['holdfast events --service web --limit 20', 'the last twenty of web'],
      ['holdfast events --follow', 'the last ten, then what happens; Ctrl-C ends it'],
      ['holdfast events --since 4711 --json', 'everything after event 4711, a line of JSON each'],
    ],
  },
  switchover: {
    summary: 'move a service to another node on purpose',
    description: `Moves a service without losing a packet: the target raises itself above the owner and takes over before that one
lets go. With --wait it stays until every binding outside follows; Ctrl-C then ends the waiting, not the move.`,
    examples: [
      ['holdfast switchover web --wait', 'to the best healthy backup'],
      ['holdfast switchover web --to n2 --reason "kernel update of n1"', 'to n2, and why, for the audit trail'],
    ],
    done: 'the move has begun; with --wait: it is complete everywhere',
    failed: 'nobody can take over, or the move failed; the owner stays',
  },
  hold: {
    summary: 'freeze a service at its owner, whatever fails',
    description: `Freezes a service at its owner: nothing moves it, be it a failure, a drain or a switchover, until it is released.
Its bindings go on being put right. Use it while you work on something that would make it flap.`,
    examples: [['holdfast hold web --reason "switch replacement"', 'everybody sees why in holdfast status']],
  },
  release: {
    summary: 'let a held service move again',
    description: 'Ends a hold. If its owner has failed meanwhile, the service moves at once.',
    examples: [['holdfast release web', '']],
    failed: 'it was not held, or there is no such service',
  },
  drain: {
    summary: 'empty a node for maintenance, and keep it empty',
    description: `Moves every service off a node without losing a packet, and keeps it out of every election until undrain. What
nobody else can take yet stays and moves as soon as somebody can. With --wait it stays until all moves have ended.`,
    examples: [
      ['holdfast drain n1 --wait --reason "firmware" && ssh n1 reboot', 'reboot only what is empty'],
      ['holdfast undrain n1', 'afterwards'],
    ],
    done: 'it has begun; with --wait: the node owns nothing any more',
    failed: 'no such node; with --wait also: a move failed, or something is still at the node',
  },
  undrain: {
    summary: 'let a drained node take part again',
    description:
      'Ends a drain. The node stands for election again; what has moved off it comes back only by the usual rules.',
    examples: [['holdfast undrain n1', '']],
    failed: 'it was not drained, or there is no such node',
  },
  acknowledge: {
    summary: 'go on above a higher epoch that was found',
    description: `A target that carries an epoch which this control never minted means that there is a second control, or that the
database is an old copy; nothing moves then. When you have made sure that no other control writes, this lets control go on
above that epoch.`,
    examples: [['holdfast acknowledge web --reason "database restored from yesterday"', '']],
    failed: 'no higher epoch was found, or there is no such service',
  },
  apply: {
    summary: 'declare services to control: shows the difference, and asks',
    description: `Declares the services of YAML or JSON files, written as services: in control's configuration. It checks them,
shows what would change, has control check all of it, asks, and writes one service after another; what somebody else has
changed meanwhile is never overwritten. \${NAME} is expanded from this command's environment; secrets are refused, since
control keeps what is declared to it in clear.`,
    examples: [
      ['holdfast apply -f services.yaml', 'show the difference, ask, apply'],
      ['holdfast apply -f services.yaml --dry-run', 'only show it'],
      ['holdfast apply -f web.yaml -f db.yaml --prune --yes', 'make control have exactly these, without asking'],
      ['render | holdfast apply -f - --yes', 'from standard input'],
    ],
    done: 'everything in the files is as control has it; or a dry run found nothing wrong',
    failed: 'it was refused, declined, or stopped half-way; what was applied is said',
  },
  token: {
    summary: 'make, list and revoke tokens',
    description: `Tokens say who calls: people and programs with a role, and each node with one of its own. Control keeps only their
hashes. To replace a token without anybody being locked out: create a second one with the same name, hand it out, and when
the first is no longer used revoke that one by its id.`,
    examples: [
      ['holdfast token create n1 --role node --node n1', '1. a second token of that name'],
      ['holdfast token list', '2. when the agent has it: the id of the first'],
      ['holdfast token revoke 3f9c0a12b7de', '3. the first one is refused from now on'],
    ],
  },
  'token create': {
    summary: 'make a token, and print it this once',
    description: `Makes a token and prints it alone on standard output, this once: nobody can show it again. Roles: admin may do
everything; operator moves, holds and drains; viewer looks; node speaks for the one node it is made for. Several tokens may
share a name, which is how one is replaced without downtime.`,
    examples: [
      ['holdfast token create grafana --role viewer --expires 90d', ''],
      ['umask 077; holdfast token create n1 --role node --node n1 > /etc/holdfast/token', 'straight into a file'],
    ],
  },
  'token list': {
    summary: 'list tokens, without what makes them work',
    description: 'Lists every token with its id, role and end. Those of control’s configuration are changed there.',
    examples: [['holdfast token list', '']],
  },
  'token revoke': {
    summary: 'refuse a token from now on',
    description: `Revokes one token by its id, or all tokens of a name that were made with token create. Connections that were made
with it are closed. The last admin is never revoked.`,
    examples: [['holdfast token revoke 3f9c0a12b7de', 'the id is in holdfast token list']],
  },
  'check-config': {
    summary: 'find every mistake in configuration files',
    description: `Checks agent and control configurations, which it tells apart by itself, and names every mistake at once with its
file, line, key and remedy. Nothing is started and nothing is changed.`,
    examples: [
      ['holdfast check-config /etc/holdfast/agent.yaml', ''],
      ['holdfast check-config --elsewhere sites/*/agent.yaml', 'files for other machines, in a repository'],
    ],
    done: 'no mistakes',
  },
  agent: {
    summary: 'run the node agent in the foreground',
    description: `Runs the node agent until SIGTERM: it then hands over politely, removes its addresses and exits 0. It needs Linux
and the right to open raw sockets and change addresses (root, or CAP_NET_ADMIN and CAP_NET_RAW); accept: false of a
service also needs nft. SIGHUP makes it read its configuration again, as holdfast reload does.`,
    examples: [['holdfast agent --config /etc/holdfast/agent.yaml', '']],
  },
  reload: {
    summary: 'make the agent of this machine read its configuration again',
    description: `The agent reads its file again and changes what is different, a line each; everything else goes on undisturbed,
and a service that stays keeps its state. A file with a mistake changes nothing, and the mistakes are printed. node, site,
socket and realtime can't change while it runs, and variables are those that it was started with.`,
    examples: [
      ['holdfast reload', 'after a change of /etc/holdfast/agent.yaml'],
      ['holdfast check-config /etc/holdfast/agent.yaml && holdfast reload', 'the mistakes first'],
    ],
    done: 'everything runs by the file, also where nothing was different',
    failed: 'no agent answers, or a part of it does not run by the file: its log says which',
  },
  control: {
    summary: 'run control on this machine in the foreground',
    description: `Runs control until SIGTERM: the API, the decisions, and everything outside that follows them. Agents go on without
it; what they do on the LAN never waits for control.`,
    examples: [['holdfast control --config /etc/holdfast/control.yaml', '']],
  },
  'control backup': {
    summary: 'write the database of the control that runs into a file, and check it',
    description: `Takes a copy of the whole database while control goes on. FILE is never half a backup: it has its name only when
the copy is complete and was checked. The token must be an admin's.`,
    examples: [['holdfast control backup /var/backups/holdfast.db', '']],
  },
  adapters: {
    summary: 'what bindings can be, what they need, and whether they could move',
    description: `An adapter is what moves one kind of thing outside: an address, a route, a record. These commands say which
there are and how each is configured, what control's credentials must allow, and whether a move would be permitted now.`,
    examples: [['holdfast adapters show aws-eip', 'its keys, with an example']],
  },
  'adapters list': {
    summary: 'list the kinds of binding',
    description: 'Lists every adapter, and what it moves.',
    examples: [['holdfast adapters list', '']],
  },
  'adapters show': {
    summary: 'show how a kind of binding is configured',
    description:
      'Shows the keys of an adapter and of its targets, with types and defaults, and an example to start from.',
    examples: [['holdfast adapters show rfc2136', '']],
  },
  'adapters policy': {
    summary: 'print the least that credentials must allow',
    description: `Prints what control's credentials must be allowed for the bindings of a configuration, and nothing more: one
IAM policy for all of AWS, and for others what to grant in their own words. It asks nobody, and needs no credentials.`,
    examples: [
      ['holdfast adapters policy --config control.yaml', 'for all services'],
      ['holdfast adapters policy --config control.yaml --json | jq .aws', 'only the IAM document'],
    ],
  },
  'adapters preflight': {
    summary: 'try whether every move would be permitted, changing nothing',
    description: `Tries, with the credentials that this shell has, whether everything the bindings of a configuration name
exists, and whether each move would be permitted: by dry runs and by reading. Control does the same by itself at start
and each hour, and holdfast status says what it found. What cannot be tried without doing it is listed as untried.`,
    examples: [['holdfast adapters preflight --config control.yaml', 'before a change of credentials goes live']],
    done: 'nothing failed that could be tried',
    failed: 'something would fail; each line says what to do',
  },
  import: {
    summary: 'write an agent configuration from keepalived’s',
    description: `Reads a keepalived.conf and what it includes, and writes an agent's configuration that does the same. What it could
not carry over, or only with a change, is said line by line on standard error.`,
    examples: [['holdfast import /etc/keepalived/keepalived.conf --output agent.yaml', '']],
    failed: 'nothing in it could be carried over',
  },
  completion: {
    summary: 'print a script that completes commands, flags and names',
    description: `Prints a script for your shell that completes commands, flags and files when you press the tab key, and the names
of services, nodes and moves: those of the control that the line or the environment names. Where that does not answer within
half a second no name is offered.`,
    examples: [
      ['source <(holdfast completion bash)', 'in ~/.bashrc; zsh likewise'],
      ['holdfast completion fish > ~/.config/fish/completions/holdfast.fish', ''],
    ],
  },
  demo: {
    summary: 'see the whole system at work on this machine',
    description: `Builds two nodes, a client, control and a cloud on this machine, in network namespaces that vanish afterwards, and
plays failures against them while the client counts what it loses. It then stays for you to try things, until Ctrl-C.`,
    examples: [
      ['sudo holdfast demo', ''],
      ['sudo holdfast demo --once', 'end after the script'],
    ],
    done: 'every step held',
    failed: 'a step did not hold, or this machine has no network namespaces',
  },
} as const satisfies Readonly<Record<string, Page>>

export type PageName = keyof typeof manual

/** What stands below the flags. `talks`: it talks to control or the agent, and so takes the environment's word. */
export function footer(page: Page, talks: boolean): string {
  const { examples, done = 'done', failed = 'it could not be done; one line on standard error says why' } = page
  const width = Math.max(...examples.map(([typed]) => typed.length))
  // What is too long for one line explains itself on the next.
  const shown = examples.flatMap(([typed, purpose]) => {
    if (purpose === '') return [`  ${typed}`]
    return width <= 48 ? [`  ${typed.padEnd(width)}  ${purpose}`] : [`  ${typed}`, `      ${purpose}`]
  })
  const environment = [
    '',
    'Environment:',
    '  HOLDFAST_URL, HOLDFAST_TOKEN and HOLDFAST_SOCKET stand for the flags of the same name; a token is better there',
    '  than among the arguments, which other users of this machine can see.',
  ]
  return [
    '',
    'Examples:',
    ...shown,
    ...(talks ? environment : []),
    '',
    'Exit codes:',
    `  0  ${done}`,
    `  1  ${failed}`,
    '  2  wrong usage or configuration',
  ].join('\n')
}
