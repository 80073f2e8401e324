/** What the agent needs of a log: one call per event. */

/** `event` names what happened, `msg` says it to people. */
export type LogEntry = { readonly event: string; readonly msg: string; readonly [key: string]: unknown }
export type Log = (level: 'debug' | 'info' | 'warn' | 'error', entry: LogEntry) => void
