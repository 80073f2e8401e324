/**
 * The strict EC2 as a process: `node infra/lab/clouds/ec2-main.ts --listen 127.0.0.1:5000 --config JSON`.
 *
 * Standard output has one JSON object a line: `{"listening": url}` when it is ready, then each change of an address.
 * The configuration is `{addresses, interfaces, subnets?, routeTables?, throttle?, credentials?}` as createEc2 takes them;
 * `--faults` is a JSON list of faults that are in force from the start. SIGTERM and SIGINT end it.
 */
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { createEc2 } from './ec2.ts'
import { faultSchema } from './faults.ts'

const configSchema = z.strictObject({
  addresses: z.array(z.strictObject({ allocationId: z.string(), publicIp: z.string() })),
  interfaces: z.array(
    z.strictObject({
      networkInterfaceId: z.string(),
      instanceId: z.string().optional(),
      subnetId: z.string().optional(),
      privateIpAddresses: z.array(z.string()).min(1),
      ipv6Addresses: z.array(z.string()).optional(),
      sourceDestCheck: z.boolean().optional(),
      addressLimit: z.int().optional(),
    }),
  ),
  subnets: z
    .array(z.strictObject({ subnetId: z.string(), cidrBlock: z.string(), ipv6CidrBlock: z.string().optional() }))
    .default([]),
  routeTables: z
    .array(
      z.strictObject({
        routeTableId: z.string(),
        routes: z
          .array(
            z.strictObject({
              destination: z.string(),
              to: z.string(),
              origin: z.enum(['CreateRouteTable', 'CreateRoute', 'EnableVgwRoutePropagation', 'Advertisement']),
            }),
          )
          .default([]),
      }),
    )
    .default([]),
  throttle: z.boolean().default(false),
  credentials: z.array(z.strictObject({ accessKeyId: z.string(), secretAccessKey: z.string() })).optional(),
})

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      listen: { type: 'string', default: '127.0.0.1:0' },
      config: { type: 'string' },
      faults: { type: 'string', default: '[]' },
    },
  })
  if (values.config === undefined) throw new Error('--config JSON is missing')
  const { credentials, ...world } = configSchema.parse(JSON.parse(values.config))
  const ec2 = await createEc2({
    ...world,
    ...(credentials === undefined ? {} : { credentials }),
    listen: listenAddress(values.listen),
    onChange: say,
  })
  ec2.faults.replace(z.array(faultSchema).parse(JSON.parse(values.faults)))
  const leave = () => void ec2.close().then(() => process.exit(0))
  process.once('SIGTERM', leave)
  process.once('SIGINT', leave)
  say({ listening: ec2.url })
}

/** `127.0.0.1:5000` or `[::1]:5000`. */
function listenAddress(text: string): { host: string; port: number } {
  const parts = /^(?:\[(?<v6>[0-9a-f:]+)\]|(?<v4>[^:]+)):(?<port>\d+)$/i.exec(text)?.groups
  if (parts === undefined) throw new Error(`--listen wants an address like 127.0.0.1:5000, not ${text}`)
  return { host: parts.v6 ?? parts.v4!, port: Number(parts.port) }
}

function say(line: unknown): void {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

main().catch((error: unknown) => {
  const mistake = error instanceof z.ZodError ? z.prettifyError(error) : error instanceof Error ? error.message : error
  process.stderr.write(`ec2: ${mistake}\n`)
  process.exit(2)
})
