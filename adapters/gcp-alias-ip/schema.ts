/** What a `gcp-alias-ip` binding is configured with. */
import { z } from 'zod'
import type { AdapterSchema } from '../adapter.ts'
import { access, projectSchema, resourceName } from '../google/schema.ts'

const configSchema = z.strictObject({
  project: projectSchema('the project of the instances'),
  address: z.ipv4('an address is like 10.0.0.100').describe('the address that moves, as an alias of /32'),
  subnetworkRangeName: z
    .string()
    .regex(/^[a-z]([-a-z0-9]*[a-z0-9])?$/, 'a range name is like vips')
    .optional()
    .describe("the secondary range of the subnet that the address is of; without it, the subnet's primary range"),
  ...access,
})

const targetSchema = z.strictObject({
  zone: z.string().regex(resourceName, 'a zone is like europe-west1-b').describe('the zone of the instance'),
  instance: z.string().regex(resourceName, 'an instance name is like web-1').describe('the name of the instance'),
  networkInterface: z
    .string()
    .regex(/^nic\d$/, 'an interface is like nic0')
    .default('nic0')
    .describe('the interface that gets the alias'),
})

export type GcpAliasIpConfig = z.output<typeof configSchema>
export type GcpAliasIpTarget = z.output<typeof targetSchema>

export const gcpAliasIpSchema: AdapterSchema<typeof configSchema, typeof targetSchema> = {
  name: 'gcp-alias-ip',
  moves: 'an alias address of Google Compute Engine instances',
  config: configSchema,
  target: targetSchema,
  example: {
    config: {
      project: 'my-project-123',
      address: '10.0.0.100',
      subnetworkRangeName: 'vips',
      credentials: { credential: 'holdfast-gcp' },
    },
    targets: {
      n1: { zone: 'europe-west1-b', instance: 'web-1' },
      n2: { zone: 'europe-west1-c', instance: 'web-2', networkInterface: 'nic1' },
    },
  },
  permissions: ({ config, targets }) => [
    {
      kind: 'grant',
      provider: 'Google Cloud',
      grants: [
        ...Object.values(targets).flatMap(({ zone, instance }) =>
          ['compute.instances.get', 'compute.instances.updateNetworkInterface'].map(
            (permission) => `${permission} on projects/${config.project}/zones/${zone}/instances/${instance}`,
          ),
        ),
        `compute.zoneOperations.get on projects/${config.project}`,
        `compute.subnetworks.get and compute.subnetworks.use on the subnets of the interfaces`,
      ],
    },
  ],
  budget: ({ project }) => ({ account: `Compute Engine in ${project}`, calls: 1500, perMs: 60_000, perLook: 2 }),
}
