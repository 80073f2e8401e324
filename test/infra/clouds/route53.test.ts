/** The strict Route 53 is as strict as AWS: its rules, its lists, its signatures, and its XML as AWS's own client reads it. */
import {
  type Change,
  ChangeResourceRecordSetsCommand,
  GetChangeCommand,
  ListResourceRecordSetsCommand,
  type ListResourceRecordSetsCommandOutput,
  Route53Client,
  type RRType,
} from '@aws-sdk/client-route-53'
import { afterEach, expect, test } from 'vitest'
import { labCredentials } from '../../../infra/lab/clouds/ec2.ts'
import { createRoute53Cloud, type Route53, type Route53Options } from '../../../infra/lab/clouds/route53.ts'
import { parseXml } from '../../../infra/lab/clouds/route53-wire.ts'
import { createManualTimers } from '../../adapters/manual-timers.ts'

const open: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const each of open.splice(0)) await each.close()
})

async function start(options: Partial<Route53Options> = {}): Promise<{ client: Route53Client; cloud: Route53 }> {
  const cloud = await createRoute53Cloud({ zones: [{ id: 'Z1', name: 'example.com' }], ...options })
  open.push(cloud)
  return { client: clientAt(cloud.url), cloud }
}

function clientAt(endpoint: string, region = 'us-east-1', credentials = labCredentials): Route53Client {
  return new Route53Client({ region, endpoint, credentials, maxAttempts: 1 })
}

function set(Action: Change['Action'], line: string): Change {
  const [Name, Type, TTL, ...values] = line.split(' ')
  const ResourceRecords = values.map((Value) => ({ Value }))
  return { Action, ResourceRecordSet: { Name: Name!, Type: Type as RRType, TTL: Number(TTL), ResourceRecords } }
}

function change(client: Route53Client, ...Changes: Change[]) {
  return client.send(new ChangeResourceRecordSetsCommand({ HostedZoneId: 'Z1', ChangeBatch: { Changes } }))
}

/** What is there besides the zone's own SOA and NS. */
async function list(client: Route53Client): Promise<string[]> {
  const { ResourceRecordSets = [] } = await client.send(new ListResourceRecordSetsCommand({ HostedZoneId: 'Z1' }))
  return ResourceRecordSets.filter(({ Type }) => Type !== 'SOA' && Type !== 'NS').map(
    ({ Name, Type, TTL, ResourceRecords = [] }) =>
      [Name, Type, TTL, ...ResourceRecords.map(({ Value }) => Value)].join(' '),
  )
}

test('a batch is made as a whole, in its order', async () => {
  const { client } = await start()
  await change(client, set('CREATE', 'vip.example.com A 30 192.0.2.1'))
  await change(
    client,
    set('DELETE', 'VIP.example.com. A 30 192.0.2.1'),
    set('CREATE', 'vip.example.com A 30 192.0.2.2'),
    set('UPSERT', '*.example.com CNAME 30 vip.example.com'),
  )
  expect(await list(client)).toEqual(['\\052.example.com. CNAME 30 vip.example.com', 'vip.example.com. A 30 192.0.2.2'])
})

const vipNow = 'vip.example.com A 30 192.0.2.1 192.0.2.2'

test.each([
  ['a DELETE of other values', [set('DELETE', 'vip.example.com A 30 192.0.2.1')], /values provided do not match/],
  [
    'a DELETE of another TTL',
    [set('DELETE', 'vip.example.com A 60 192.0.2.1 192.0.2.2')],
    /values provided do not match/,
  ],
  ['a DELETE of nothing', [set('DELETE', 'no.example.com A 30 192.0.2.1')], /it was not found/],
  ['a second DELETE', [set('DELETE', vipNow), set('DELETE', vipNow)], /it was not found/],
  ['a CREATE of what exists', [set('CREATE', 'vip.example.com A 30 192.0.2.9')], /it already exists/],
  ['a CNAME beside others', [set('CREATE', 'vip.example.com CNAME 30 n1.example.net')], /conflicts with other records/],
  ['a CNAME of the zone', [set('CREATE', 'example.com CNAME 30 n1.example.net')], /not permitted at apex/],
  ['a name of another zone', [set('CREATE', 'vip.notexample.com A 30 192.0.2.1')], /not permitted in zone/],
  ['a value that is none', [set('CREATE', 'a.example.com A 30 300.0.2.1')], /Invalid Resource Record/],
  ['a text without quotes', [set('CREATE', 'a.example.com TXT 30 bare')], /Invalid Resource Record/],
  ['a protected record', [set('CREATE', 'safe.example.com A 30 192.0.2.1')], /protection/],
  ['too many records', [set('UPSERT', `a.example.com A 30 ${'192.0.2.1 '.repeat(501).trim()}`)], /limit of 1000/],
])('%s is refused, and all that came with it', async (_name, changes, message) => {
  const { client } = await start({ zones: [{ id: 'Z1', name: 'example.com', protected: ['safe.example.com. A'] }] })
  await change(client, set('CREATE', vipNow))
  const refused = change(client, set('CREATE', 'other.example.com A 30 192.0.2.8'), ...changes)
  await expect(refused).rejects.toMatchObject({ name: 'InvalidChangeBatch', message: expect.stringMatching(message) })
  expect(await list(client)).toEqual([vipNow.replace(' ', '. ')])
})

test('a list is in the order of reversed names, in pages that say where the next one begins', async () => {
  const { client } = await start()
  const names = ['vip', 'vip-2', '_holdfast.vip', 'z.vip', '1.vip', 'a']
  await change(client, ...names.map((name) => set('CREATE', `${name}.example.com A 30 192.0.2.1`)))
  const order = ['a', 'vip-2', 'vip', '1.vip', '_holdfast.vip', 'z.vip'].map((name) => `${name}.example.com.`)
  expect((await list(client)).map((line) => line.split(' ')[0])).toEqual(order)
  const read: string[] = []
  let StartRecordName: string | undefined = 'vip.example.com'
  let StartRecordType: RRType | undefined
  while (StartRecordName !== undefined) {
    const command = { HostedZoneId: 'Z1', MaxItems: 2, StartRecordName, StartRecordType }
    const answer: ListResourceRecordSetsCommandOutput = await client.send(new ListResourceRecordSetsCommand(command))
    read.push(...answer.ResourceRecordSets!.map(({ Name }) => Name!))
    expect([answer.MaxItems, answer.IsTruncated]).toEqual([2, answer.NextRecordName !== undefined])
    StartRecordName = answer.NextRecordName
    StartRecordType = answer.NextRecordType
  }
  expect(read).toEqual(order.slice(2))
})

test('a change is PENDING for as long as the lab says, and no longer', async () => {
  const timers = createManualTimers()
  const { client, cloud } = await start({ timers })
  cloud.pace({ insyncMs: 1_000, exclusiveMs: 200 })
  const { ChangeInfo } = await change(client, set('CREATE', 'a.example.com A 30 192.0.2.1'))
  const status = async () => (await client.send(new GetChangeCommand({ Id: ChangeInfo!.Id }))).ChangeInfo!.Status
  expect(await status()).toBe('PENDING')
  const other = set('CREATE', 'b.example.com A 30 192.0.2.1')
  await expect(change(client, other)).rejects.toMatchObject({ name: 'PriorRequestNotComplete' })
  timers.pass(1_000)
  expect(await status()).toBe('INSYNC')
  await change(client, other)
  await expect(client.send(new GetChangeCommand({ Id: 'C404' }))).rejects.toMatchObject({ name: 'NoSuchChange' })
})

test('a zone that does not exist, and signatures that do not hold', async () => {
  const { client, cloud } = await start()
  const read = (at: Route53Client, HostedZoneId = 'Z1') => at.send(new ListResourceRecordSetsCommand({ HostedZoneId }))
  await expect(read(client, 'Z9')).rejects.toMatchObject({
    name: 'NoSuchHostedZone',
    $metadata: { httpStatusCode: 404 },
  })
  const wrongKey = clientAt(cloud.url, 'us-east-1', { ...labCredentials, secretAccessKey: 'wrong' })
  await expect(read(wrongKey)).rejects.toMatchObject({ name: 'SignatureDoesNotMatch' })
  await expect(read(clientAt(cloud.url, 'eu-west-1'))).rejects.toMatchObject({ name: 'SignatureDoesNotMatch' })
  const unsigned = await fetch(`${cloud.url}/2013-04-01/hostedzone/Z1/rrset`)
  expect([unsigned.status, await unsigned.text()]).toEqual([403, expect.stringContaining('MissingAuthenticationToken')])
})

test.each(['', 'words', '<a>', '<a></b>', '<a/><b/>', '<a><b></a></b>', '<a>&amp;</a> more', '<a><'])(
  'no XML: %j',
  (text) => {
    expect(parseXml(text)).toBe(undefined)
  },
)
