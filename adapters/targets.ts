/** The target of a node, among those of a binding. */

/** Undefined: it has none, be it called `constructor`. */
export function targetOf<Target>(targets: Readonly<Record<string, Target>>, node: string): Target | undefined {
  return Object.hasOwn(targets, node) ? targets[node] : undefined
}
