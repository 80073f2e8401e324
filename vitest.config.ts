import { defineConfig } from 'vitest/config'

/**
 * Two projects: `unit` runs anywhere in seconds; `lab` needs network namespaces and says what it skips.
 * Lab files run one after another, because each measures time on a machine with few cores.
 */
export default defineConfig({
  test: {
    reporters: process.env.CI ? ['default', './test/support/closing-line.ts'] : ['default'],
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/lab/**', 'test/bench/**'],
          testTimeout: 30_000,
          // Most of the slow files wait for processes that they started; the machine has another core.
          maxWorkers: 2,
        },
      },
      {
        test: {
          name: 'lab',
          include: ['test/lab/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
