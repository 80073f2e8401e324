#!/usr/bin/env node
/**
 * `holdfast`, as it is installed. All it does is to switch the compile cache on before `main.ts` is read: Node needs
 * some 45 ms to get its own TypeScript stripper ready, and does so only for a file that is not in the cache.
 */
import './compile-cache.mjs'

await import('./main.ts')
