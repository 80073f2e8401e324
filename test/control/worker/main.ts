/** The Worker under test, and an object that is nothing but a place for tests to run in. */
import { DurableObject } from 'cloudflare:workers'

export { ClusterObject, default } from '../../../control/worker/main.ts'

export class BlankObject extends DurableObject {}
