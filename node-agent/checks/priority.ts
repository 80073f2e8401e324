/**
 * What the checks of a service make of it: a priority, and a fault when it may not carry the service at all.
 *
 * | weight   | passing | failing          |
 * |----------|---------|------------------|
 * | none     | -       | fault            |
 * | negative | -       | added            |
 * | positive | added   | -                |
 *
 * Before a check's first verdict it counts as passed for a service with VRRP: the LAN never waits for a check, and a
 * monitor that has only just started must not drop an address that somebody uses. For a solo service it counts as
 * failed: nobody on a LAN stands in for it, and what it claims is what the world is pointed at.
 */
import type { Standing } from '../vrrp/router.ts'
import { clampPriority } from '../vrrp/step.ts'
import type { ServiceCheck } from './check.ts'
import type { Health } from './health.ts'

export type Question = {
  /** As configured: 1..254, or 255 for the address owner, which has no checks. */
  readonly priority: number
  readonly checks: readonly ServiceCheck[]
  readonly healthOf: (check: string) => Health
  readonly unknownCounts: 'passed' | 'failed'
}

export function standingOf({
  priority,
  checks,
  healthOf,
  unknownCounts,
}: Question): Pick<Standing, 'priority' | 'fault'> {
  const passes = ({ check }: ServiceCheck): boolean => {
    const { verdict } = healthOf(check)
    return verdict === 'unknown' ? unknownCounts === 'passed' : verdict === 'passing'
  }
  const weights = checks.map((each) => {
    const counts = each.weight !== null && each.weight > 0 === passes(each)
    return counts ? each.weight : 0
  })
  const failed = checks.filter((each) => each.weight === null && !passes(each))
  const sum = weights.reduce((total, weight) => total + weight, 0)
  return {
    priority: checks.length === 0 ? priority : clampPriority(priority + sum),
    fault: failed.length === 0 ? null : failed.map(({ check }) => describe(check, healthOf(check))).join('; '),
  }
}

function describe(check: string, { verdict, why }: Health): string {
  return verdict === 'unknown' ? `check ${check} has not passed yet` : `check ${check} failed: ${why ?? 'unknown'}`
}
