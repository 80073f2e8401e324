/** `fetch` in a Cloudflare Worker, which keeps its connections by itself. */
export const fetch: typeof globalThis.fetch = (input, init) => globalThis.fetch(input, init)
