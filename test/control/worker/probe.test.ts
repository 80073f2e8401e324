/** The Worker's probes, from workerd, against real servers on loopback. */
import { inject } from 'vitest'
import { probe } from '../../../control/worker/probe.ts'
import { probeCases } from '../probe-cases.ts'

probeCases(probe, () => inject('outside'))
