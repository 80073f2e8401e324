/** What lab tests require, and the lab with two nodes that most of them use. */
import { sandboxProblem } from '../../infra/lab/sandbox.ts'
import type { Requirement } from './peers.ts'

/** Network namespaces: as root, or in a user namespace. The lab itself says what is missing. */
export const lab: Requirement = { name: 'network namespaces', missing: sandboxProblem() }
