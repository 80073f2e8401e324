/**
 * What control has told this node of a service, and whether the service therefore yields: pure.
 *
 * Everything is a level: a command that comes twice changes nothing the second time.
 */
import type { Command } from '../control/contract.ts'
import type { ServiceRules } from './config.ts'
import type { Verdict } from './link/lease.ts'

export type Owner = { readonly node: string; readonly epoch: number; readonly contested: boolean }

export type Told = {
  /** By `yield`, until told otherwise. */
  readonly yielding: boolean
  /** With the highest epoch that was told. */
  readonly owner: Owner | null
}

export const untold: Told = { yielding: false, owner: null }

export type Hearing = { readonly told: Told } | { readonly refusal: string }

export function hear(told: Told, command: Extract<Command, { kind: 'yield' | 'owner' }>): Hearing {
  if (command.kind === 'yield') return { told: { ...told, yielding: command.on } }
  const { node, epoch, contested } = command
  const seen = told.owner?.epoch ?? 0
  // From a control that is behind, such as one whose database was restored: it must not silence anybody.
  if (epoch < seen) return { refusal: `epoch ${epoch} is over: this node was told ${seen} before` }
  return { told: { ...told, owner: { node, epoch, contested } } }
}

/** Without control nobody can say any more whether it is contested. */
export function controlLost(told: Told): Told {
  return told.owner === null ? told : { ...told, owner: { ...told.owner, contested: false } }
}

/** Why the service takes no part in the election; null when it does. `lost`: what the loss of control makes of it. */
export function yieldsBecause(
  told: Told,
  { onLost, split }: Pick<ServiceRules, 'onLost' | 'split'>,
  lost: Verdict,
): string | null {
  if (lost === 'yield') return `control is lost (onLost: ${onLost})`
  if (told.yielding) return 'control says yield'
  if (split === 'yield' && told.owner?.contested) return `${told.owner.node} owns it outside (split: yield)`
  return null
}
