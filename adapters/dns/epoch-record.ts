/**
 * The record in which a zone itself remembers whose turn it is: a TXT beside the name that moves.
 *
 *   vip.example.com            A    192.0.2.10
 *   _holdfast.vip.example.com  TXT  "v=1 epoch=42 owner=n2"
 *
 * Each move replaces exactly the text that was observed, so that a writer of the past is refused by the provider.
 */

/** Whose turn it is, and the how many-th. */
export type EpochRecord = { readonly epoch: number; readonly owner: string }

/** `_holdfast.vip.example.com`. Nothing may stand before a wildcard: `*.example.com` has `_holdfast._wildcard.example.com`. */
export function epochRecordName(name: string): string {
  return `_holdfast.${name.replace(/^\*\./, '_wildcard.')}`
}

/** What the record says, without quotes. */
export function epochText({ epoch, owner }: EpochRecord): string {
  return `v=1 epoch=${epoch} owner=${owner}`
}

/** Null when it is anything but what `epochText` writes: then somebody else wrote it. */
export function parseEpochText(text: string): EpochRecord | null {
  const [, digits, owner] =
    /^v=1 epoch=(0|[1-9][0-9]{0,15}) owner=([A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)$/.exec(text) ?? []
  const epoch = Number(digits)
  return owner === undefined || !Number.isSafeInteger(epoch) ? null : { epoch, owner }
}
