/** The permissions of all bindings of a configuration as one IAM document, and what is to be granted elsewhere. */
import type { Permission } from '../../adapters/adapter.ts'

export type BindingPermissions = { readonly binding: string; readonly permissions: readonly Permission[] }

type AwsPermission = Extract<Permission, { kind: 'aws' }>
type Grant = Extract<Permission, { kind: 'grant' }>

/** IAM's policy language, version 2012-10-17. */
export type IamPolicy = {
  readonly Version: '2012-10-17'
  readonly Statement: readonly {
    readonly Effect: 'Allow'
    readonly Action: readonly string[]
    readonly Resource: readonly string[]
    readonly Condition?: AwsPermission['condition']
  }[]
}

export type Policy = {
  /** Null: no binding needs AWS. */
  readonly aws: IamPolicy | null
  /** The same grant is given once, with the bindings that need it. */
  readonly grants: readonly { readonly bindings: readonly string[]; readonly permission: Grant }[]
}

export function policyOf(needed: readonly BindingPermissions[]): Policy {
  const aws = needed.flatMap(({ permissions }) => permissions.filter((one) => one.kind === 'aws'))
  return { aws: aws.length === 0 ? null : documentOf(aws), grants: grantsOf(needed) }
}

/** Statements with the same actions under the same condition are one. */
function documentOf(permissions: readonly AwsPermission[]): IamPolicy {
  const byActions = Map.groupBy(permissions, ({ actions, condition }) => {
    return JSON.stringify([[...actions].toSorted(), condition ?? null])
  })
  const statements = [...byActions.values()].map((same) => {
    const { actions, condition } = same[0]!
    const resources = [...new Set(same.flatMap((one) => one.resources))].toSorted()
    const statement = { Effect: 'Allow' as const, Action: [...actions].toSorted(), Resource: resources }
    return condition === undefined ? statement : { ...statement, Condition: condition }
  })
  // And those on the same resources are one as well.
  const byResources = Map.groupBy(statements, (one) =>
    JSON.stringify([one.Resource, 'Condition' in one && one.Condition]),
  )
  const united = [...byResources.values()].map((same) => ({
    ...same[0]!,
    Action: [...new Set(same.flatMap(({ Action }) => Action))].toSorted(),
  }))
  return { Version: '2012-10-17', Statement: united }
}

function grantsOf(needed: readonly BindingPermissions[]): Policy['grants'] {
  const all = needed.flatMap(({ binding, permissions }) =>
    permissions.filter((one) => one.kind === 'grant').map((permission) => ({ binding, permission })),
  )
  return [...Map.groupBy(all, ({ permission }) => JSON.stringify(permission)).values()].map((same) => ({
    bindings: [...new Set(same.map(({ binding }) => binding))],
    permission: same[0]!.permission,
  }))
}
