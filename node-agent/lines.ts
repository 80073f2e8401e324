/** JSON lines between supervisor and VRRP process: a value a line, bytes kept as bytes. */

export function encodeLine(value: unknown): string {
  const keepBytes = (_: string, inner: unknown): unknown =>
    inner instanceof Uint8Array ? { $bytes: [...inner] } : inner
  return `${JSON.stringify(value, keepBytes)}\n`
}

/** Takes text as it comes and gives the values of all lines that are complete. */
export function createLineDecoder<Message>(): (text: string) => Message[] {
  let rest = ''
  return (text) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    return lines.map((line) => JSON.parse(line, reviveBytes) as Message)
  }
}

function reviveBytes(_: string, value: unknown): unknown {
  const isBytes = typeof value === 'object' && value !== null && '$bytes' in value
  return isBytes ? Uint8Array.from((value as { $bytes: number[] }).$bytes) : value
}
