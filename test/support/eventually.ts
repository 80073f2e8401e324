/** Waits for what will be so: looks again and again until `check` no longer throws, or throws what it threw last. */
export async function eventually<T>(
  look: () => T | Promise<T>,
  check: (value: T) => void,
  { withinMs = 15_000, everyMs = 15 }: { readonly withinMs?: number; readonly everyMs?: number } = {},
): Promise<T> {
  const deadline = performance.now() + withinMs
  for (;;) {
    const late = performance.now() >= deadline
    const value = await look()
    try {
      check(value)
      return value
    } catch (error) {
      if (late) throw error
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs))
  }
}
