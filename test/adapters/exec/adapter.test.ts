/** exec with real programs: the shared suite with and without a fence, and the example for operators. */
import { beforeEach } from 'vitest'
import { adapterCases, plainAdapterCases } from '../adapter-cases.ts'
import { faultMatrix } from '../fault-matrix.ts'
import { exampleWorld, execWorld, useSecret } from './worlds.ts'

beforeEach(useSecret)

adapterCases({ name: 'exec', setup: () => execWorld({ fenced: false }) })
adapterCases({ name: 'exec, fenced', setup: () => execWorld({ fenced: true }) })
plainAdapterCases({ name: 'exec with the example program', setup: exampleWorld })
faultMatrix({ name: 'exec', setup: () => execWorld({ fenced: false }) })
faultMatrix({ name: 'exec, fenced', setup: () => execWorld({ fenced: true }) })
