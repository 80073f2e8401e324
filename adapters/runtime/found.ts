/** What looking for a secret comes to; `missing` says why, for the operator. */
export type Found = { readonly value: string } | { readonly missing: string }
