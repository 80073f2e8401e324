/** Always: while an operator holds the service, no epoch is minted. */
import type { World } from '../simulation.ts'

export function holdWins({ holds }: World): string[] {
  return holds
    .filter(({ from, until }) => until !== null && until !== from)
    .map(({ from, until }) => `held at epoch ${from}, and released at ${until}`)
}
