/**
 * The strict clouds, started in Node, and of each a binding as an operator would write it: plain data, so that it can be
 * handed to tests in workerd.
 */
import { generateKeyPairSync } from 'node:crypto'
import { createAzure } from '../../../infra/lab/clouds/azure.ts'
import { createCloudflare } from '../../../infra/lab/clouds/cloudflare.ts'
import { labToken } from '../../../infra/lab/clouds/cloudflare-access.ts'
import { allScopes, createDigitalOcean } from '../../../infra/lab/clouds/digitalocean.ts'
import { createEc2, labCredentials } from '../../../infra/lab/clouds/ec2.ts'
import { createGoogle } from '../../../infra/lab/clouds/google.ts'
import { createHetzner } from '../../../infra/lab/clouds/hetzner.ts'
import { createHetznerRobot } from '../../../infra/lab/clouds/hetzner-robot.ts'
import { createOvh } from '../../../infra/lab/clouds/ovh.ts'
import { createPowerDnsCloud } from '../../../infra/lab/clouds/powerdns.ts'
import { createRoute53Cloud } from '../../../infra/lab/clouds/route53.ts'
import { createWebhookReceiver } from '../../../infra/lab/clouds/webhook-receiver.ts'
import { nameOf, service } from './names.ts'

export type BindingInWorker = {
  readonly adapter: string
  readonly config: object
  readonly targets: Readonly<Record<'n1' | 'n2', object>>
  /** The Worker's secrets. */
  readonly env: Readonly<Record<string, string>>
}

type Started = { readonly bindings: readonly BindingInWorker[]; close(): Promise<unknown> }

const [accountId, zoneId] = ['9a7806061c88ada191ed06f989cc3dac', '023e105f4ecef8ad9ca31a8372d0c353']
const [uuid, secret] = ['8d5c9f3e-51d8-4a6b-9d0d-2f1f6f0c7a11', 'secret-of-the-worker-under-test']
const placed = { env: 'SECRET_UNDER_TEST' }
const dns = { n1: { a: ['192.0.2.11'], aaaa: ['2001:db8::11'] }, n2: { a: ['192.0.2.12'] } }

export async function startClouds(): Promise<Started> {
  const one = await Promise.all([aws(), route53(), cloudflare(), webhook(), powerdns()])
  const other = await Promise.all([azure(), google(), hetzner(), robot(), digitalOcean(), ovh()])
  const all = [...one, ...other]
  return {
    bindings: all.flatMap(({ bindings }) => bindings),
    close: () => Promise.all(all.map((started) => started.close())),
  }
}

const credentials = {
  AWS_ACCESS_KEY_ID: labCredentials.accessKeyId,
  AWS_SECRET_ACCESS_KEY: labCredentials.secretAccessKey,
}

async function aws(): Promise<Started> {
  const [allocationId, subnetId, routeTableId] = ['eipalloc-1', 'subnet-1', 'rtb-1']
  const { url: endpoint, close } = await createEc2({
    addresses: [{ allocationId, publicIp: '203.0.113.10' }],
    interfaces: ['1', '2'].map((n) => ({
      ...{ networkInterfaceId: `eni-${n}`, instanceId: `i-${n}`, subnetId, sourceDestCheck: false },
      ...{ privateIpAddresses: [`10.0.0.${n}`], ipv6Addresses: [`2001:db8::${n}`] },
    })),
    subnets: [{ subnetId, cidrBlock: '10.0.0.0/24', ipv6CidrBlock: '2001:db8::/64' }],
    routeTables: [
      { routeTableId, routes: [{ destination: '10.0.0.0/16', to: 'local', origin: 'CreateRouteTable' as const }] },
    ],
  })
  const shared = { region: 'eu-west-1', endpoint }
  const targets = { n1: { networkInterfaceId: 'eni-1' }, n2: { networkInterfaceId: 'eni-2' } }
  const withAddress = {
    n1: { ...targets.n1, privateIpAddress: '10.0.0.1' },
    n2: { ...targets.n2, privateIpAddress: '10.0.0.2' },
  }
  const configs = {
    'aws-private-ip': { ...shared, subnetId, addresses: ['10.0.0.100', '2001:db8::100'] },
    'aws-route': { ...shared, destination: '10.99.0.10/32', routeTables: [routeTableId] },
  }
  const eip = { adapter: 'aws-eip', config: { ...shared, allocationId }, targets: withAddress, env: credentials }
  const others = Object.entries(configs).map(([adapter, config]) => ({ adapter, config, targets, env: credentials }))
  return { bindings: [eip, ...others], close }
}

async function route53(): Promise<Started> {
  const zone = { id: 'Z0LAB', name: 'example.com', sets: [], protected: [] }
  const { url: endpoint, close } = await createRoute53Cloud({ zones: [zone] })
  const config = { hostedZoneId: zone.id, name: 'vip.example.com', endpoint }
  return { bindings: [{ adapter: 'route53', config, targets: dns, env: credentials }], close }
}

async function cloudflare(): Promise<Started> {
  const pools = { n1: '17b5962d775c646f3f9725cbc7a53df4', n2: '9290f38c5d07c2e2f4df57b1f61d4196' }
  const [loadBalancerId, last] = ['699d98642c564d2e855e9661899b7252', '00920f38ce07c2e2f4df50b1f61d4194']
  const balancer = { id: loadBalancerId, default_pools: Object.values(pools), fallback_pool: last }
  const { endpoint, close } = await createCloudflare({
    accountId,
    zones: [{ id: zoneId, name: 'example.com', loadBalancers: [balancer] }],
    pools: [...Object.values(pools), last].map((id, i) => ({ id, name: `pool-${i}`, enabled: id === last })),
  })
  const shared = { zoneId, token: { env: 'CLOUDFLARE_UNDER_TEST' }, endpoint }
  const env = { CLOUDFLARE_UNDER_TEST: labToken.value }
  const byPool = { n1: { pool: pools.n1 }, n2: { pool: pools.n2 } }
  return {
    bindings: [
      { adapter: 'cloudflare-dns', config: { ...shared, name: 'vip.example.com' }, targets: dns, env },
      {
        adapter: 'cloudflare-load-balancer',
        config: { ...shared, accountId, loadBalancerId },
        targets: byPool,
        env,
      },
    ],
    close,
  }
}

async function webhook(): Promise<Started> {
  const bindings = [{ service, binding: nameOf('webhook') }]
  const { url, close } = await createWebhookReceiver({ secret, fenced: true, bindings })
  const config = { url: `${url}/hook`, secret: placed, fenced: true }
  return { bindings: [of('webhook', config, { n1: {}, n2: {} })], close }
}

async function powerdns(): Promise<Started> {
  const { url, close } = await createPowerDnsCloud({ zone: 'example.com.', apiKey: secret })
  const config = { url, key: placed, zone: 'example.com', name: 'vip.example.com' }
  return { bindings: [of('powerdns', config, dns)], close }
}

async function azure(): Promise<Started> {
  const initial = { routes: {}, operations: {} }
  const { url, close } = await createAzure({ table: 'lan', client: { id: uuid, secret }, initial })
  const config = {
    ...{ subscription: uuid, resourceGroup: 'network', routeTable: 'lan', route: 'vip' },
    ...{ addressPrefix: '10.9.0.100/32', tenant: uuid, clientId: uuid, clientSecret: placed },
    ...{ endpoint: url, tokenEndpoint: `${url}/token` },
  }
  const targets = { n1: { nextHopIpAddress: '10.0.1.10' }, n2: { nextHopIpAddress: '10.0.2.10' } }
  return { bindings: [of('azure-route', config, targets)], close }
}

async function google(): Promise<Started> {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const account = { email: 'holdfast@lab-project.iam.gserviceaccount.com', publicKey }
  const private_key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const subnetwork = 'https://compute.googleapis.com/compute/v1/projects/lab-project/regions/r1/subnetworks/main'
  const nic = { name: 'nic0', version: 1, subnetwork, aliasIpRanges: [] }
  const project = 'lab-project'
  const initial = { instances: { 'z1/web-1': [nic], 'z2/web-2': [nic] }, routes: {}, operations: {}, count: 0 }
  const { url, close } = await createGoogle({ project, account, initial })
  const credentials = { env: 'GOOGLE_UNDER_TEST' }
  const shared = { project, endpoint: url, tokenEndpoint: `${url}/token`, credentials }
  const file = { type: 'service_account', client_email: account.email, private_key }
  const env = { GOOGLE_UNDER_TEST: JSON.stringify(file) }
  const instances = { n1: { zone: 'z1', instance: 'web-1' }, n2: { zone: 'z2', instance: 'web-2' } }
  const hops = { n1: { nextHopIp: '10.0.1.10' }, n2: { nextHopIp: '10.0.2.10' } }
  const route = { ...shared, network: 'default', route: 'vip', destRange: '10.9.0.100/32' }
  return {
    bindings: [
      { adapter: 'gcp-alias-ip', config: { ...shared, address: '10.1.0.9' }, targets: instances, env },
      { adapter: 'gcp-route', config: route, targets: hops, env },
    ],
    close,
  }
}

async function hetzner(): Promise<Started> {
  const { url: endpoint, close } = await createHetzner({
    floatingIps: [{ id: 4711, ip: '203.0.113.10', type: 'ipv4', server: null }],
    servers: [42, 43].map((id) => ({ id, name: `server-${id}` })),
    tokens: [{ token: secret }],
  })
  const config = { floatingIpId: 4711, token: placed, endpoint }
  return { bindings: [of('hetzner-floating-ip', config, { n1: { serverId: 42 }, n2: { serverId: 43 } })], close }
}

async function robot(): Promise<Started> {
  const [ip, user] = ['203.0.113.10', '#ws+worker']
  const { url: endpoint, close } = await createHetznerRobot({
    ...{ user, password: secret, failovers: [{ ip, active: null }] },
    servers: [1, 2].map((number) => ({ number, ip: `198.51.100.${number}`, ipv6Net: `2001:db8:${number}::` })),
  })
  const targets = { n1: { serverIp: '198.51.100.1' }, n2: { serverIp: '198.51.100.2' } }
  return { bindings: [of('hetzner-failover-ip', { ip, user, password: placed, endpoint }, targets)], close }
}

async function digitalOcean(): Promise<Started> {
  const ip = '203.0.113.10'
  const { url: endpoint, close } = await createDigitalOcean({
    reservedIps: [{ ip, region: 'fra1', droplet: null }],
    droplets: [42, 43].map((id) => ({ id, name: `droplet-${id}`, region: 'fra1' })),
    tokens: [{ token: secret, scopes: allScopes }],
  })
  const targets = { n1: { dropletId: 42 }, n2: { dropletId: 43 } }
  return { bindings: [of('digitalocean-reserved-ip', { ip, token: placed, endpoint }, targets)], close }
}

async function ovh(): Promise<Started> {
  const ip = '203.0.113.10'
  const services = { n1: { service: 'ns1.example.net' }, n2: { service: 'ns2.example.net' } }
  const { url: endpoint, close } = await createOvh({
    ...{ ips: [{ ip: `${ip}/32`, service: null }], services: ['ns1.example.net', 'ns2.example.net'] },
    ...{ applicationKey: 'application', applicationSecret: secret, consumers: [{ key: secret, mayWrite: true }] },
  })
  const config = { ip, applicationKey: 'application', applicationSecret: placed, consumerKey: placed, endpoint }
  return { bindings: [of('ovh-ip', config, services)], close }
}

function of(adapter: string, config: object, targets: BindingInWorker['targets']): BindingInWorker {
  return { adapter, config, targets, env: { SECRET_UNDER_TEST: secret } }
}
