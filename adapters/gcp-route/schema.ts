/** What a `gcp-route` binding is configured with. */
import { z } from 'zod'
import type { AdapterSchema } from '../adapter.ts'
import { access, projectSchema, resourceName } from '../google/schema.ts'

const configSchema = z.strictObject({
  project: projectSchema('the project of network and route'),
  network: z
    .string()
    .regex(resourceName, 'a network name is like default')
    .describe('the network that the route is of'),
  route: z
    .string()
    .regex(resourceName, 'a route name is like vip')
    .describe('the route, which is created when it is missing'),
  destRange: z.cidrv4('a range is like 10.9.0.100/32').describe('what the route leads to'),
  priority: z.int().min(0).max(65_535).default(1000).describe('of the route, lower is preferred'),
  tags: z
    .array(z.string().regex(resourceName, 'a tag is like lan'))
    .optional()
    .describe('network tags of the instances that the route is for; without them, all'),
  ...access,
})

const targetSchema = z.strictObject({
  nextHopIp: z
    .ipv4('a next hop is an address like 10.0.1.10')
    .describe("the internal address of the node's instance, which must be allowed to forward"),
})

export type GcpRouteConfig = z.output<typeof configSchema>
export type GcpRouteTarget = z.output<typeof targetSchema>

export const gcpRouteSchema: AdapterSchema<typeof configSchema, typeof targetSchema> = {
  name: 'gcp-route',
  moves: 'the next hop of a route of a Google Cloud network; nothing has the route while it moves',
  config: configSchema,
  target: targetSchema,
  example: {
    config: {
      ...{ project: 'my-project-123', network: 'default', route: 'vip', destRange: '10.9.0.100/32' },
      credentials: { credential: 'holdfast-gcp' },
    },
    targets: { n1: { nextHopIp: '10.0.1.10' }, n2: { nextHopIp: '10.0.2.10' } },
  },
  permissions: ({ config: { project, network } }) => [
    {
      kind: 'grant',
      provider: 'Google Cloud',
      grants: [
        ...['routes.get', 'routes.create', 'routes.delete', 'globalOperations.get'].map(
          (permission) => `compute.${permission} on projects/${project}`,
        ),
        `compute.networks.get and compute.networks.updatePolicy on ${network}`,
      ],
    },
  ],
  budget: ({ project }) => ({ account: `Compute Engine in ${project}`, calls: 1500, perMs: 60_000 }),
}
