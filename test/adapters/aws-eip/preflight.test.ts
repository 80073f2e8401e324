/** What aws-eip finds out before a move, and what it asks its credentials to allow. */
import { beforeEach, describe, expect, test } from 'vitest'
import { awsEipSchema } from '../../../adapters/aws-eip/schema.ts'
import { dryRun } from '../../../infra/lab/clouds/ec2.ts'
import { useLabCredentials } from '../aws/ec2-world.ts'
import { adapterAt, allocationId, ec2World, places } from './worlds.ts'

beforeEach(useLabCredentials)

const signal = new AbortController().signal

type Adapter = Awaited<ReturnType<typeof ec2World>>['adapter']

async function linesOf(adapter: Adapter): Promise<readonly string[]> {
  return (await adapter.preflight(signal)).map(({ check, result, message }) => {
    return `${result}: ${check}${message === null ? '' : `: ${message}`}`
  })
}

describe('preflight', () => {
  test('passes, by dry runs for each node, and changes nothing', async () => {
    const { adapter, world, ec2 } = await ec2World({ strict: false })
    await world.setOutOfBand('n1')
    const before = ec2.state()
    expect(await linesOf(adapter)).toEqual([
      'passed: ec2:DescribeAddresses eipalloc-1',
      'passed: interface eni-1 (n1)',
      'passed: interface eni-2 (n2)',
      'passed: ec2:AssociateAddress eipalloc-1 to eni-1, 10.0.0.11 (n1)',
      'passed: ec2:AssociateAddress eipalloc-1 to eni-2, 10.0.0.12 (n2)',
    ])
    expect(ec2.state()).toBe(before)
    await world.end()
  })

  test('finds an address that a service of AWS has made for itself', async () => {
    const { adapter, world, ec2 } = await ec2World({ strict: false })
    ec2.change((state) => ({
      ...state,
      addresses: state.addresses.map((each) => ({ ...each, serviceManaged: 'nlb' })),
    }))
    expect((await linesOf(adapter))[0]).toMatch(/^failed: ec2:DescribeAddresses eipalloc-1: it is managed by nlb/)
    const { raw } = (await adapter.observe(signal)) as { raw: unknown }
    expect(raw).toMatchObject({ serviceManaged: 'nlb', networkBorderGroup: 'eu-west-1' })
    await world.end()
  })

  test('in strict mode tries both steps wherever the address is', async () => {
    const { adapter, world } = await ec2World({ strict: true })
    await world.setOutOfBand('foreign')
    const lines = await linesOf(adapter)
    expect(lines.length).toBe(6)
    expect(lines.filter((line) => !line.startsWith('passed'))).toEqual([])
    expect(lines.at(-1)).toBe('passed: ec2:DisassociateAddress eipalloc-1')
    await world.setOutOfBand(null)
    expect((await linesOf(adapter)).at(-1)).toMatch(/^untried: ec2:DisassociateAddress eipalloc-1: .* nowhere/)
    await world.end()
  })

  test('finds the permission that is missing, for the node that misses it', async () => {
    const { adapter, world, ec2 } = await ec2World({ strict: true })
    await world.setOutOfBand('n1')
    ec2.faults.add({
      kind: 'error',
      code: 'UnauthorizedOperation',
      action: `AssociateAddress${dryRun}`,
      about: 'eni-2',
    })
    ec2.faults.add({ kind: 'error', code: 'UnauthorizedOperation', action: `DisassociateAddress${dryRun}` })
    const failed = (await linesOf(adapter)).filter((line) => line.startsWith('failed'))
    expect(failed.map((line) => line.split(': ')[1])).toEqual([
      'ec2:AssociateAddress eipalloc-1 to eni-2, 10.0.0.12 (n2)',
      'ec2:DisassociateAddress eipalloc-1',
    ])
    await world.end()
  })

  test('finds an interface that is not there, and a private address that is not its own', async () => {
    const { adapter, world, ec2 } = await ec2World({ strict: false })
    ec2.change((state) => ({
      ...state,
      interfaces: state.interfaces
        .filter(({ networkInterfaceId }) => networkInterfaceId !== 'eni-1')
        .map((one) => (one.networkInterfaceId === 'eni-2' ? { ...one, privateIpAddresses: ['10.0.0.2'] } : one)),
    }))
    const lines = await linesOf(adapter)
    expect(lines).toContain('failed: interface eni-1 (n1): there is no such interface in this region and account')
    expect(lines).toContain('failed: interface eni-2 (n2): it has no address 10.0.0.12, but 10.0.0.2')
    expect(lines.find((line) => line.includes('AssociateAddress') && line.includes('n2'))).toMatch(/^failed/)
    await world.end()
  })

  test('finds an address that is not there', async () => {
    const { world, ec2 } = await ec2World({ strict: false })
    const adapter = adapterAt(ec2.url, { allocationId: 'eipalloc-404' })
    const [first] = await linesOf(adapter)
    expect(first).toMatch(/^failed: ec2:DescribeAddresses eipalloc-404: InvalidAllocationID\.NotFound/)
    adapter.dispose()
    await world.end()
  })

  test('has not found out what nobody answered', async () => {
    const { world } = await ec2World({ strict: true })
    const nobody = await world.unreachable()
    const results = (await nobody.preflight(signal)).map(({ result }) => result)
    expect(results.length).toBeGreaterThan(3)
    expect(new Set(results)).toEqual(new Set(['untried']))
    expect(await nobody.preflight(AbortSignal.abort())).toHaveLength(results.length)
    nobody.dispose()
    await world.end()
  })
})

describe('permissions', () => {
  const region = 'eu-west-1'
  const parse = (more: object) => awsEipSchema.config.parse({ region, allocationId, ...more })

  test('are the address, the interfaces and the instances, and describing in the region', () => {
    const targets = { n1: { ...places.n1, instanceId: 'i-1' }, n2: { ...places.n2, instanceId: 'i-2' } }
    const arn = 'arn:aws:ec2:eu-west-1:123456789012'
    expect(awsEipSchema.permissions({ config: parse({ strict: true, accountId: '123456789012' }), targets })).toEqual([
      {
        kind: 'aws',
        actions: ['ec2:DescribeAddresses', 'ec2:DescribeNetworkInterfaces'],
        resources: ['*'],
        condition: { StringEquals: { 'aws:RequestedRegion': region } },
      },
      {
        kind: 'aws',
        actions: ['ec2:AssociateAddress', 'ec2:DisassociateAddress'],
        resources: [
          `${arn}:elastic-ip/eipalloc-1`,
          `${arn}:network-interface/eni-1`,
          `${arn}:network-interface/eni-2`,
          `${arn}:instance/i-1`,
          `${arn}:instance/i-2`,
        ],
      },
    ])
  })

  test('are any account and any instance where those are not known, and no more actions than the mode has', () => {
    const targets = { n1: places.n1, n2: { ...places.n2, instanceId: 'i-2' } }
    const [, write] = awsEipSchema.permissions({ config: parse({}), targets })
    expect(write).toMatchObject({ actions: ['ec2:AssociateAddress'] })
    expect(write?.kind === 'aws' && write.resources.at(-1)).toBe('arn:aws:ec2:eu-west-1:*:instance/*')
  })

  test.each([
    ['cn-north-1', 'aws-cn'],
    ['us-gov-west-1', 'aws-us-gov'],
  ])('in %s are of the partition %s', (there, partition) => {
    const config = parse({ region: there })
    const [, write] = awsEipSchema.permissions({ config, targets: { n1: places.n1 } })
    expect(write?.kind === 'aws' && write.resources[0]).toBe(`arn:${partition}:ec2:${there}:*:elastic-ip/eipalloc-1`)
  })

  test('an account is twelve digits', () => {
    expect(awsEipSchema.config.safeParse({ region, allocationId, accountId: '12345' }).success).toBe(false)
  })
})
