/** How a declaration differs from another: the keys that go, and the keys that come, each with its value. */

export type Change = { readonly key: string; readonly before: string | null; readonly after: string | null }

/** Sorted as the newer one has its keys, what goes at the place where it was. Empty: they say the same. */
export function compare(before: unknown, after: unknown): readonly Change[] {
  const [old, present] = [flatten(before), flatten(after)]
  const changed = [...present].flatMap(([key, value]) => {
    const was = old.get(key) ?? null
    return was === value ? [] : [{ key, before: was, after: value }]
  })
  const gone = [...old].flatMap(([key, value]) => (present.has(key) ? [] : [{ key, before: value, after: null }]))
  return [...changed, ...gone].toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
}

/** Each value by its path. Entries of a list that have a name are found by it, wherever in the list they stand. */
function flatten(value: unknown, path = ''): Map<string, string> {
  if (typeof value !== 'object' || value === null) return new Map(path === '' ? [] : [[path, JSON.stringify(value)]])
  const entries: [string, unknown][] = Array.isArray(value)
    ? value.map((item: unknown, i) => [`${path}[${nameOf(item) ?? i}]`, item])
    : Object.entries(value).map(([key, inner]) => [path === '' ? key : `${path}.${key}`, inner])
  if (entries.length === 0 && path !== '') return new Map([[path, Array.isArray(value) ? '[]' : '{}']])
  return new Map(entries.flatMap(([inner, item]) => [...flatten(item, inner)]))
}

function nameOf(item: unknown): string | undefined {
  if (typeof item !== 'object' || item === null || !('name' in item)) return undefined
  return typeof item.name === 'string' ? item.name : undefined
}
