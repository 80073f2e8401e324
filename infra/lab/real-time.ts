/** Programs in real time, for those that have no setting for it: what measures, or is measured beside our agent. */

/** The command, scheduled before everything ordinary; as it is where that is not allowed. It execs, so its pid stays. */
export function inRealTime(command: readonly string[]): readonly [string, ...string[]] {
  return ['sh', '-c', script, 'sh', ...command]
}

/** The priority of our agent and of a keepalived that is `tuned`. */
const script = 'if chrt --rr 50 true 2>/dev/null; then exec chrt --rr 50 "$@"; else exec "$@"; fi'
