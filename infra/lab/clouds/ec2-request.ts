/** A request of EC2's Query protocol as the rules read it, and what they answer: values, lists, flags, filters, errors. */
import type { Ec2State } from './ec2-state.ts'

/** A request that has already been authenticated. Parameters are named as on the wire: `AllocationId.1`. */
export type Ec2Request = { readonly action: string; readonly params: Readonly<Record<string, string>> }

/** What an answer's XML is made of: arrays become `<item>` elements, undefined entries are left out. */
export type Tree = string | boolean | readonly Tree[] | { readonly [name: string]: Tree | undefined }

export type Ec2Result =
  | { readonly kind: 'answer'; readonly state: Ec2State; readonly answer: Readonly<Record<string, Tree>> }
  | { readonly kind: 'error'; readonly code: string; readonly message: string }

export type Refusal = Extract<Ec2Result, { kind: 'error' }>

export function error(code: string, message: string): Refusal {
  return { kind: 'error', code, message }
}

export function missingParameter(name: string): Refusal {
  return error('MissingParameter', `The request must contain the parameter ${name}`)
}

export function noInterface(id: string): Refusal {
  return error('InvalidNetworkInterfaceID.NotFound', `The networkInterface ID '${id}' does not exist`)
}

export function flag({ params }: Ec2Request, name: string, absent: boolean): boolean {
  const value = params[name]
  return value === undefined ? absent : value.toLowerCase() === 'true'
}

/** The values of `Name.1`, `Name.2`, ... in that order. */
export function list({ params }: Ec2Request, name: string): readonly string[] {
  const values: string[] = []
  for (let i = 1; params[`${name}.${i}`] !== undefined; i += 1) values.push(params[`${name}.${i}`]!)
  return values
}

/** What a filter of some name looks at in an item; it matches when any of these values is wanted. */
export type Fields<Item> = Readonly<Record<string, (item: Item) => readonly (string | undefined)[]>>

/** Applies `Filter.N.Name` and `Filter.N.Value.M`: all filters must match, each by any of its values. */
export function filter<Item>(
  request: Ec2Request,
  items: readonly Item[],
  fields: Fields<Item>,
): { readonly items: readonly Item[] } | Refusal {
  let left = items
  for (let i = 1; request.params[`Filter.${i}.Name`] !== undefined; i += 1) {
    const name = request.params[`Filter.${i}.Name`]!
    const field = fields[name]
    if (field === undefined) return error('InvalidParameterValue', `The filter '${name}' is invalid`)
    const wanted = list(request, `Filter.${i}.Value`)
    left = left.filter((item) => field(item).some((value) => value !== undefined && wanted.includes(value)))
  }
  return { items: left }
}
