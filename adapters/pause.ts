/** A wait between two looks at something that takes its time. */

/** How it is waited: tests that own the time have another. */
export type Pause = (ms: number, signal: AbortSignal) => Promise<void>

/** Ends early when `signal` aborts. */
export function pauseFor(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    if (signal.aborted) end()
    else signal.addEventListener('abort', end)
  })
}
