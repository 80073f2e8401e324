/** What this control tells of itself on Node: what it tells everywhere, and how the process does. */
import type { Links } from '../link/links.ts'
import {
  createSeeing as createSeeingAnywhere,
  type Seeing,
  type SeeingInput as SeeingAnywhere,
} from '../seeing/seeing.ts'
import type { WatchedStore } from '../store/watched-store.ts'
import { processText, watchEventLoop } from './process-metrics.ts'

export type { Seeing } from '../seeing/seeing.ts'

export type SeeingInput = Pick<SeeingAnywhere, 'config' | 'version'> & {
  readonly store: Pick<WatchedStore, 'trouble'>
  readonly links: Pick<Links, 'aliveAt'>
  readonly ports: Omit<SeeingAnywhere['ports'], 'aliveAt'>
}

export function createSeeing({ config, store, links, ports, version }: SeeingInput): Seeing {
  const seeing = createSeeingAnywhere({
    config,
    version,
    ports: { ...ports, aliveAt: links.aliveAt },
    fetch,
    storeTrouble: store.trouble,
    processText,
  })
  const loop = watchEventLoop(seeing.metrics.late)
  const stop = (): void => {
    loop.stop()
    seeing.stop()
  }
  return { ...seeing, stop }
}
