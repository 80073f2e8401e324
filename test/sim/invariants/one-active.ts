/** At rest: exactly one router is active, and the virtual address is on its node and nowhere else. */
import { virtualAddress, type World } from '../simulation.ts'

export function oneActive({ nodes }: World): string[] {
  const active = nodes.filter((node) => node.engine()?.services().web?.state === 'active').map(({ name }) => name)
  const holders = nodes.filter((node) => node.addresses().has(virtualAddress)).map(({ name }) => name)
  const wrong = active.length === 1 && holders.length === 1 && holders[0] === active[0]
  return wrong
    ? []
    : [`active: ${active.join(', ') || 'nobody'}; ${virtualAddress} is on ${holders.join(', ') || 'nobody'}`]
}
