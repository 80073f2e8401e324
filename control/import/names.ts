/** Names that Holdfast accepts, from names that keepalived accepted. Pure. */

export type Names = (wanted: string) => string

/** Hands out each name once: letters, digits, dots, dashes and underscores, between letters or digits, at most 63. */
export function createNames(): Names {
  const given = new Set<string>()
  return (wanted) => {
    const plain = wanted
      .replaceAll(/[^A-Za-z0-9._-]+/g, '-')
      .slice(0, 58)
      .replaceAll(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, '')
    const base = plain === '' ? 'unnamed' : plain
    let name = base
    for (let i = 2; given.has(name); i += 1) name = `${base}-${i}`
    given.add(name)
    return name
  }
}
