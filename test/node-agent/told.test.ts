import { describe, expect, test } from 'vitest'
import { controlLost, hear, type Told, untold, yieldsBecause } from '../../node-agent/told.ts'

const owner = (epoch: number, contested = false, node = 'n2') =>
  ({ kind: 'owner', id: `o-${epoch}`, service: 'web', node, epoch, contested }) as const
const yields = (on: boolean) => ({ kind: 'yield', id: 'y-1', service: 'web', on }) as const
const having = (...commands: Parameters<typeof hear>[1][]): Told =>
  commands.reduce((told, command) => {
    const heard = hear(told, command)
    return 'told' in heard ? heard.told : told
  }, untold)

describe('what control tells', () => {
  test('the highest epoch is remembered, and a lower one is refused', () => {
    expect(having(owner(3), owner(7)).owner).toEqual({ node: 'n2', epoch: 7, contested: false })
    expect(hear(having(owner(7)), owner(6))).toEqual({ refusal: 'epoch 6 is over: this node was told 7 before' })
    expect(having(owner(7), owner(6, true)).owner).toMatchObject({ epoch: 7, contested: false })
    expect(having(owner(7), owner(7, true)).owner).toMatchObject({ epoch: 7, contested: true })
  })

  test('twice is once', () => {
    expect(having(yields(true), yields(true))).toEqual(having(yields(true)))
    expect(having(owner(7, true), owner(7, true))).toEqual(having(owner(7, true)))
  })
})

describe('a service yields', () => {
  const keep = { onLost: 'release', split: 'keep' } as const
  const split = { onLost: 'release', split: 'yield' } as const

  test.each([
    { name: 'never asked to', told: untold, rules: split, because: null },
    { name: 'told to', told: having(yields(true)), rules: keep, because: 'control says yield' },
    { name: 'told not to any more', told: having(yields(true), yields(false)), rules: keep, because: null },
    { name: 'contested, split: keep', told: having(owner(7, true)), rules: keep, because: null },
    {
      name: 'contested, split: yield',
      told: having(owner(7, true)),
      rules: split,
      because: 'n2 owns it outside (split: yield)',
    },
    { name: 'contested no more', told: having(owner(7, true), owner(7)), rules: split, because: null },
    { name: 'contested when control was lost', told: controlLost(having(owner(7, true))), rules: split, because: null },
    { name: 'told to, and control was lost', told: controlLost(having(yields(true))), rules: keep, because: /yield/ },
  ])('$name', ({ told, rules, because }) => {
    const said = yieldsBecause(told, rules, 'keep')
    if (because instanceof RegExp) expect(said).toMatch(because)
    else expect(said).toBe(because)
  })

  test('because control is lost', () => {
    expect(yieldsBecause(untold, keep, 'yield')).toBe('control is lost (onLost: release)')
  })
})
