/**
 * Lets the addresses of a network stay when one of them goes.
 *
 * Linux takes all other IPv4 addresses of a network off an interface together with its first, unless the interface has
 * `promote_secondaries`: then the next one becomes the first.
 */
import { readFileSync, writeFileSync } from 'node:fs'

/** What was not possible, a sentence each. */
export function keepSiblings(interfaces: readonly string[]): string[] {
  return interfaces.map(keepSiblingsOn).filter((problem) => problem !== undefined)
}

function keepSiblingsOn(interfaceName: string): string | undefined {
  const file = `/proc/sys/net/ipv4/conf/${interfaceName}/promote_secondaries`
  try {
    if (readFileSync(file, 'latin1').trim() !== '1') writeFileSync(file, '1')
    return undefined
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error)
    // The interface has just gone, or the machine has no IPv4 on it.
    if (code === 'ENOENT') return undefined
    return (
      `could not set net.ipv4.conf.${interfaceName}.promote_secondaries (${code}): ` +
      'removing one address may remove others of its network; set it to 1'
    )
  }
}
