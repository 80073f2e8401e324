/** The strict EC2 by AWS's rules, with AWS's own SDK as the client: a signer and a parser that nobody here wrote. */
import {
  AssociateAddressCommand,
  type AssociateAddressCommandInput,
  DescribeAddressesCommand,
  type DescribeAddressesCommandInput,
  DescribeNetworkInterfacesCommand,
  DescribeVolumesCommand,
  DisassociateAddressCommand,
  EC2Client,
} from '@aws-sdk/client-ec2'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createEc2, type Ec2, type Ec2Change, labCredentials } from '../../../infra/lab/clouds/ec2.ts'
import { createManualTimers, type ManualTimers } from '../../adapters/manual-timers.ts'

let ec2: Ec2
let client: EC2Client
let timers: ManualTimers
let changes: Ec2Change[]

beforeEach(async () => {
  timers = createManualTimers()
  changes = []
  ec2 = await createEc2({
    addresses: [
      { allocationId: 'eipalloc-1', publicIp: '203.0.113.1' },
      { allocationId: 'eipalloc-2', publicIp: '203.0.113.2' },
    ],
    interfaces: [
      { networkInterfaceId: 'eni-1', instanceId: 'i-1', privateIpAddresses: ['10.0.0.1', '10.0.0.11'] },
      { networkInterfaceId: 'eni-2', instanceId: 'i-2', privateIpAddresses: ['10.0.0.2'] },
      { networkInterfaceId: 'eni-3', instanceId: 'i-3', privateIpAddresses: ['10.0.0.3'] },
      { networkInterfaceId: 'eni-4', instanceId: 'i-3', privateIpAddresses: ['10.0.0.4'] },
    ],
    timers,
    onChange: (change) => changes.push(change),
  })
  client = clientWith({})
})

afterEach(async () => {
  client.destroy()
  await ec2.close()
})

function clientWith(credentials: { accessKeyId?: string; secretAccessKey?: string }): EC2Client {
  return new EC2Client({
    region: 'eu-west-1',
    endpoint: ec2.url,
    maxAttempts: 1,
    credentials: { ...labCredentials, ...credentials },
  })
}

const associate = (input: AssociateAddressCommandInput) => client.send(new AssociateAddressCommand(input))
const disassociate = (AssociationId: string) => client.send(new DisassociateAddressCommand({ AssociationId }))

async function described(allocationId = 'eipalloc-1') {
  const { Addresses } = await client.send(new DescribeAddressesCommand({ AllocationIds: [allocationId] }))
  return Addresses![0]!
}

describe('AssociateAddress', () => {
  test('puts the address on a private address, by default the primary one of the interface', async () => {
    const { AssociationId } = await associate({ AllocationId: 'eipalloc-1', NetworkInterfaceId: 'eni-1' })
    expect(await described()).toMatchObject({
      AllocationId: 'eipalloc-1',
      PublicIp: '203.0.113.1',
      AssociationId,
      NetworkInterfaceId: 'eni-1',
      PrivateIpAddress: '10.0.0.1',
      InstanceId: 'i-1',
    })
    expect(AssociationId).toMatch(/^eipassoc-[0-9a-f]{17}$/)
  })

  test('moves an address by itself, with a new association id', async () => {
    const first = await associate({ AllocationId: 'eipalloc-1', NetworkInterfaceId: 'eni-1' })
    const second = await associate({ AllocationId: 'eipalloc-1', NetworkInterfaceId: 'eni-2' })
    expect(second.AssociationId).not.toBe(first.AssociationId)
    expect(await described()).toMatchObject({ NetworkInterfaceId: 'eni-2', AssociationId: second.AssociationId })
  })

  test('refuses to move it when that is not allowed', async () => {
    await associate({ AllocationId: 'eipalloc-1', NetworkInterfaceId: 'eni-1' })
    const moved = associate({ AllocationId: 'eipalloc-1', NetworkInterfaceId: 'eni-2', AllowReassociation: false })
    await expect(moved).rejects.toMatchObject({ name: 'Resource.AlreadyAssociated' })
    expect(await described()).toMatchObject({ NetworkInterfaceId: 'eni-1' })
  })

  test('is idempotent: the same again keeps the association, also when no move is allowed', async () => {
    const input = { AllocationId: 'eipalloc-1', NetworkInterfaceId: 'eni-1', PrivateIpAddress: '10.0.0.11' }
    const first = await associate(input)
    const second = await associate({ ...input, AllowReassociation: false })
    expect(second.AssociationId).toBe(first.AssociationId)
    expect(changes.length).toBe(1)
  })

  test('displaces an address that is already there', async () => {
    await associate({ AllocationId: 'eipalloc-1', NetworkInterfaceId: 'eni-2' })
    await associate({ AllocationId: 'eipalloc-2', NetworkInterfaceId: 'eni-2' })
    expect((await described('eipalloc-1')).AssociationId).toBeUndefined()
    expect(await described('eipalloc-2')).toMatchObject({ NetworkInterfaceId: 'eni-2' })
    expect(changes.map(({ event, allocationId }) => [event, allocationId])).toEqual([
      ['associated', 'eipalloc-1'],
      ['disassociated', 'eipalloc-1'],
      ['associated', 'eipalloc-2'],
    ])
  })

  test('leaves an address on another private address of the same interface alone', async () => {
    await associate({ AllocationId: 'eipalloc-1', NetworkInterfaceId: 'eni-1' })
    await associate({ AllocationId: 'eipalloc-2', NetworkInterfaceId: 'eni-1', PrivateIpAddress: '10.0.0.11' })
    expect(await described('eipalloc-1')).toMatchObject({ PrivateIpAddress: '10.0.0.1' })
  })

  test('takes an instance that has exactly one interface', async () => {
    await associate({ AllocationId: 'eipalloc-1', InstanceId: 'i-2' })
    expect(await described()).toMatchObject({ NetworkInterfaceId: 'eni-2' })
  })

  test.each<[string, AssociateAddressCommandInput]>([
    ['InvalidAllocationID.NotFound', { AllocationId: 'eipalloc-9', NetworkInterfaceId: 'eni-1' }],
    ['InvalidNetworkInterfaceID.NotFound', { AllocationId: 'eipalloc-1', NetworkInterfaceId: 'eni-9' }],
    [
      'InvalidParameterValue',
      { AllocationId: 'eipalloc-1', NetworkInterfaceId: 'eni-1', PrivateIpAddress: '10.0.0.2' },
    ],
    ['InvalidParameterCombination', { AllocationId: 'eipalloc-1', NetworkInterfaceId: 'eni-1', InstanceId: 'i-1' }],
    ['InvalidInstanceID.NotFound', { AllocationId: 'eipalloc-1', InstanceId: 'i-9' }],
    ['InvalidInstanceID', { AllocationId: 'eipalloc-1', InstanceId: 'i-3' }],
    ['MissingParameter', { AllocationId: 'eipalloc-1' }],
    ['MissingParameter', { NetworkInterfaceId: 'eni-1' }],
    ['DryRunOperation', { AllocationId: 'eipalloc-1', NetworkInterfaceId: 'eni-1', DryRun: true }],
    ['InvalidAllocationID.NotFound', { AllocationId: 'eipalloc-9', NetworkInterfaceId: 'eni-1', DryRun: true }],
  ])('answers %s to %o, and changes nothing', async (name, input) => {
    await expect(associate(input)).rejects.toMatchObject({ name })
    expect(changes).toEqual([])
  })
})

describe('DisassociateAddress', () => {
  test('takes the address away', async () => {
    const { AssociationId } = await associate({ AllocationId: 'eipalloc-1', NetworkInterfaceId: 'eni-1' })
    await disassociate(AssociationId!)
    expect((await described()).AssociationId).toBeUndefined()
  })

  test('does not know an association of the past', async () => {
    const { AssociationId } = await associate({ AllocationId: 'eipalloc-1', NetworkInterfaceId: 'eni-1' })
    await associate({ AllocationId: 'eipalloc-1', NetworkInterfaceId: 'eni-2' })
    await expect(disassociate(AssociationId!)).rejects.toMatchObject({ name: 'InvalidAssociationID.NotFound' })
    expect(await described()).toMatchObject({ NetworkInterfaceId: 'eni-2' })
  })

  test('misses its parameter', async () => {
    const command = new DisassociateAddressCommand({})
    await expect(client.send(command)).rejects.toMatchObject({ name: 'MissingParameter' })
  })
})

describe('Describe', () => {
  test('addresses: all, by id, by filter', async () => {
    await associate({ AllocationId: 'eipalloc-2', NetworkInterfaceId: 'eni-2' })
    const ids = async (input: DescribeAddressesCommandInput) =>
      (await client.send(new DescribeAddressesCommand(input))).Addresses?.map(({ AllocationId }) => AllocationId)
    expect(await ids({})).toEqual(['eipalloc-1', 'eipalloc-2'])
    expect(await ids({ AllocationIds: ['eipalloc-2'] })).toEqual(['eipalloc-2'])
    expect(await ids({ PublicIps: ['203.0.113.1'] })).toEqual(['eipalloc-1'])
    expect(await ids({ Filters: [{ Name: 'network-interface-id', Values: ['eni-1', 'eni-2'] }] })).toEqual([
      'eipalloc-2',
    ])
    expect(await ids({ Filters: [{ Name: 'public-ip', Values: ['192.0.2.1'] }] })).toEqual([])
    await expect(ids({ AllocationIds: ['eipalloc-9'] })).rejects.toMatchObject({ name: 'InvalidAllocationID.NotFound' })
    await expect(ids({ PublicIps: ['192.0.2.1'] })).rejects.toMatchObject({ name: 'InvalidAddress.NotFound' })
    const unknown = ids({ Filters: [{ Name: 'colour', Values: ['red'] }] })
    await expect(unknown).rejects.toMatchObject({ name: 'InvalidParameterValue' })
  })

  test('interfaces, with what stands for each private address', async () => {
    await associate({ AllocationId: 'eipalloc-1', NetworkInterfaceId: 'eni-1', PrivateIpAddress: '10.0.0.11' })
    const { NetworkInterfaces } = await client.send(
      new DescribeNetworkInterfacesCommand({ NetworkInterfaceIds: ['eni-1'] }),
    )
    expect(NetworkInterfaces).toMatchObject([
      {
        NetworkInterfaceId: 'eni-1',
        PrivateIpAddress: '10.0.0.1',
        Attachment: { InstanceId: 'i-1' },
        PrivateIpAddresses: [
          { PrivateIpAddress: '10.0.0.1', Primary: true },
          { PrivateIpAddress: '10.0.0.11', Primary: false, Association: { AllocationId: 'eipalloc-1' } },
        ],
      },
    ])
    const missing = client.send(new DescribeNetworkInterfacesCommand({ NetworkInterfaceIds: ['eni-9'] }))
    await expect(missing).rejects.toMatchObject({ name: 'InvalidNetworkInterfaceID.NotFound' })
  })

  test('an action that is not there', async () => {
    await expect(client.send(new DescribeVolumesCommand({}))).rejects.toMatchObject({ name: 'InvalidAction' })
  })

  test('an error carries its status and a request id', async () => {
    await expect(described('eipalloc-9')).rejects.toMatchObject({
      message: "The allocation ID 'eipalloc-9' does not exist",
      $metadata: { httpStatusCode: 400, requestId: expect.stringMatching(/^[0-9a-f-]{36}$/) },
    })
  })
})

describe('who may call', () => {
  test.each([
    ['an unknown key', { accessKeyId: 'AKIANOBODYNOBODYNOBO' }],
    ['a wrong secret', { secretAccessKey: 'guessed' }],
  ])('not %s', async (_name, credentials) => {
    const stranger = clientWith(credentials)
    await expect(stranger.send(new DescribeAddressesCommand({}))).rejects.toMatchObject({ name: 'AuthFailure' })
    stranger.destroy()
  })

  test('nobody without a signature', async () => {
    const body = 'Action=DescribeAddresses&Version=2016-11-15'
    const response = await fetch(ec2.url, { method: 'POST', body })
    expect(response.status).toBe(400)
    expect(await response.text()).toContain('<Code>MissingAuthenticationToken</Code>')
  })

  test('nobody whose clock is off by more than five minutes', async () => {
    const later = () => new Date(Date.now() + 301_000)
    const strict = await createEc2({ addresses: [], interfaces: [], clock: later })
    const late = new EC2Client({ region: 'x', endpoint: strict.url, maxAttempts: 1, credentials: labCredentials })
    await expect(late.send(new DescribeAddressesCommand({}))).rejects.toMatchObject({ name: 'RequestExpired' })
    late.destroy()
    await strict.close()
  })
})

describe('faults', () => {
  const move = () => associate({ AllocationId: 'eipalloc-1', NetworkInterfaceId: 'eni-1' })
  const owner = () => ec2.state().addresses[0]?.association?.networkInterfaceId

  test.each([
    ['RequestLimitExceeded', 503],
    ['InternalError', 500],
    ['UnauthorizedOperation', 403],
    ['AuthFailure', 401],
    ['RequestExpired', 400],
    ['IncorrectInstanceState', 400],
  ])('%s comes with status %i, and nothing happened', async (code, status) => {
    ec2.faults.add({ kind: 'error', code, action: 'AssociateAddress' })
    await expect(move()).rejects.toMatchObject({ name: code, $metadata: { httpStatusCode: status } })
    expect(owner()).toBeUndefined()
    await described()
  })

  test('a fault is over after its count, or when it is cleared', async () => {
    ec2.faults.add({ kind: 'error', code: 'InternalError', next: 2 })
    for (let i = 0; i < 2; i += 1) await expect(described()).rejects.toThrow()
    await described()
    ec2.faults.add({ kind: 'error', code: 'InternalError' })
    await expect(described()).rejects.toThrow()
    ec2.faults.clear()
    await described()
  })

  test('a fault of one interface does not meet calls for another', async () => {
    ec2.faults.add({ kind: 'error', code: 'IncorrectInstanceState', about: 'eni-2' })
    await move()
    const other = associate({ AllocationId: 'eipalloc-1', NetworkInterfaceId: 'eni-2' })
    await expect(other).rejects.toMatchObject({ name: 'IncorrectInstanceState' })
  })

  test('a reset before the effect, and one after it', async () => {
    ec2.faults.add({ kind: 'reset-before', next: 1 })
    await expect(move()).rejects.toMatchObject({ code: 'ECONNRESET' })
    expect(owner()).toBeUndefined()
    ec2.faults.add({ kind: 'reset-after', next: 1 })
    await expect(move()).rejects.toMatchObject({ code: 'ECONNRESET' })
    expect(owner()).toBe('eni-1')
    expect(ec2.requests.map(({ outcome }) => outcome)).toEqual(['reset', 'ok, then reset'])
  })

  test('a late write lands after a newer one, whether it was said to have succeeded or not', async () => {
    for (const answer of ['success', 'lost'] as const) {
      ec2.faults.add({ kind: 'late-write', ms: 3_000, answer, next: 1 })
      const late = move()
      if (answer === 'success') await late
      else await expect(late).rejects.toMatchObject({ code: 'ECONNRESET' })
      await associate({ AllocationId: 'eipalloc-1', NetworkInterfaceId: 'eni-2' })
      timers.pass(2_999)
      expect(owner()).toBe('eni-2')
      timers.pass(1)
      expect(owner()).toBe('eni-1')
    }
  })

  test('a stale read shows the world as it was', async () => {
    ec2.faults.add({ kind: 'stale-reads', ms: 5_000 })
    await move()
    timers.pass(2_000)
    await associate({ AllocationId: 'eipalloc-1', NetworkInterfaceId: 'eni-2' })
    expect((await described()).NetworkInterfaceId).toBeUndefined()
    timers.pass(3_000)
    expect(await described()).toMatchObject({ NetworkInterfaceId: 'eni-1' })
    timers.pass(2_000)
    expect(await described()).toMatchObject({ NetworkInterfaceId: 'eni-2' })
  })

  test('somebody else moves the address', async () => {
    const { AssociationId } = await move()
    ec2.setOutOfBand('eipalloc-1', { networkInterfaceId: 'eni-2', privateIpAddress: '10.0.0.2' })
    expect(await described()).toMatchObject({ NetworkInterfaceId: 'eni-2' })
    expect((await described()).AssociationId).not.toBe(AssociationId)
    ec2.setOutOfBand('eipalloc-1', null)
    expect((await described()).AssociationId).toBeUndefined()
  })
})
