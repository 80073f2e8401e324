/** What the bindings that tests in workerd move are called, on both sides. */

export const service = 'web'
export const nameOf = (adapter: string): string => `${adapter}-1`
