/**
 * What every kind of binding is to control: something to observe, and to point at a node.
 *
 * An adapter instance is one binding (one Elastic IP, one record). It never decides, never retries, keeps no
 * memory that matters, and ends each call when `signal` aborts. Control does the rest: it observes, compares,
 * applies with the epoch, and observes again until both agree.
 */
import type { z } from 'zod'

/** What the outside resource points at now. */
export type Observation =
  /** At `node`, exactly as its target says. `epochSeen` where the resource itself remembers an epoch. */
  | {
      readonly kind: 'node'
      readonly node: string
      readonly token: Token
      readonly epochSeen?: number
      readonly raw: Raw
    }
  /** At nothing. */
  | { readonly kind: 'none'; readonly token: Token; readonly epochSeen?: number; readonly raw: Raw }
  /** At something that is no node's target; `what` names it for people. */
  | {
      readonly kind: 'foreign'
      readonly what: string
      readonly token: Token
      readonly epochSeen?: number
      readonly raw: Raw
    }
  /** Could not be learned. */
  | { readonly kind: 'unknown'; readonly failure: Failure }

/** What an observation gives to the next `apply`, so that it can be conditional: an association id, a record id. Null: nothing. */
export type Token = string | null

/** The provider's own words about the resource, for the operator who looks. Never holds a secret. */
export type Raw = Readonly<Record<string, string | null>>

/** The five ways in which a provider's call can go wrong. Control's answer depends on nothing else. */
export type Failure =
  /** The resource is not as the call supposed: observe again and decide again. */
  | { readonly kind: 'conflict'; readonly code: string; readonly message: string }
  /** Nothing happened; the same call may work soon (5xx, eventual consistency, instance not yet running). */
  | { readonly kind: 'retry'; readonly code: string; readonly message: string }
  /** The provider's budget is spent; not again before `afterMs` milliseconds. */
  | { readonly kind: 'throttled'; readonly code: string; readonly message: string; readonly afterMs: number }
  /** Will not work until a person changes something: permission, credentials, a resource that does not exist. */
  | { readonly kind: 'permanent'; readonly code: string; readonly message: string }
  /** It may have happened, or may still (time-out, connection lost after the request left). An observation follows. */
  | { readonly kind: 'unknown'; readonly code: string; readonly message: string }

export type Outcome = { readonly kind: 'done' } | Failure

/** Point the binding at `node`, for `epoch`, given what was observed. */
export type Move = { readonly node: string; readonly epoch: number; readonly token: Token }

export type Capabilities = {
  /** What the target itself can refuse: a stale write in one step, in two, or nothing. */
  readonly cas: 'atomic' | 'stepwise' | 'none'
  readonly dryRun: boolean
  readonly ipv6: boolean
  /** How long after a successful write a read may still show the old owner, in milliseconds. No second write before that. */
  readonly settleMs: number
  /** How long after it left a write may still take effect, in milliseconds. Control observes once more after that. */
  readonly maxInFlightMs: number
  /**
   * How long reads may go on showing the state before a write whose answer was lost, in milliseconds, until it is made
   * again: as long as the provider takes to carry one out. Default 5000.
   */
  readonly unsureMs?: number
}

/** One thing that preflight tried, without changing anything. */
export type Finding = {
  /** What was tried, and on what: `ec2:AssociateAddress eipalloc-1 to eni-2 (n2)`. */
  readonly check: string
  /** `untried`: the provider has no way to try it without doing it, or the trial itself could not be made. */
  readonly result: 'passed' | 'failed' | 'untried'
  /** What is wrong and what to do about it, or why it is untried. Null when it passed. Never holds a secret. */
  readonly message: string | null
}

/** One binding. No method ever throws. `dispose` closes connections. */
export type Adapter = {
  readonly capabilities: Capabilities
  /** What it shares with others; whoever makes it by its schema sets it. Without one, nothing limits its looks. */
  readonly budget?: Budget
  observe(signal: AbortSignal): Promise<Observation>
  apply(move: Move, signal: AbortSignal): Promise<Outcome>
  /**
   * Tries whether each node's move would be permitted, and whether all that it names exists, changing nothing.
   * Control calls it at start, each hour, and when an operator asks.
   */
  preflight(signal: AbortSignal): Promise<readonly Finding[]>
  dispose(): void
}

/** What an adapter's `create` is given; `Config` and `Target` are the outputs of its own schemas. */
export type AdapterInput<Config, Target> = {
  /** The names under which an operator knows the binding. */
  readonly service: string
  readonly binding: string
  readonly config: Config
  /** By node name. */
  readonly targets: Readonly<Record<string, Target>>
}

/** What the credentials of a binding must allow, and nothing more. */
export type Permission =
  /** A statement of an IAM policy. Those of all bindings are merged into one document. */
  | {
      readonly kind: 'aws'
      readonly actions: readonly string[]
      /** ARNs; `*` where the action knows no resource. */
      readonly resources: readonly string[]
      readonly condition?: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>
    }
  /** What to tick, write or grant elsewhere, one line each, in the provider's own words. */
  | { readonly kind: 'grant'; readonly provider: string; readonly grants: readonly string[] }

/** How many calls a provider takes from everything that shares `account`: the words that name what shares it. */
export type Budget = {
  readonly account: string
  readonly calls: number
  readonly perMs: number
  /** Calls that one observation takes. Default 1. */
  readonly perLook?: number
}

/** What control does about a change that somebody else made: undo it, say so, or leave the binding alone from then on. */
export type DriftPolicy = 'reassert' | 'alert' | 'freeze'

/** `path` within the binding: `['drift']`. `hint`: what to write instead. */
export type BindingMistake = { readonly path: readonly string[]; readonly message: string; readonly hint: string }

/** What an adapter's schema file exports. Light: importing it must not import the provider's SDK. */
export type AdapterSchema<Config extends z.ZodType, Target extends z.ZodType> = {
  readonly name: string
  /** What it moves, in a line that stands in a table: "an Elastic IP". */
  readonly moves: string
  readonly config: Config
  readonly target: Target
  /** A binding as an operator would write it, with two nodes: for the documentation, and parsed by a test. */
  readonly example: {
    readonly config: z.input<Config>
    readonly targets: Readonly<Record<string, z.input<Target>>>
  }
  /** What is wrong with a binding as a whole, which neither `config` nor `drift` shows by itself; null: nothing. */
  check?(binding: { readonly config: z.output<Config>; readonly drift: DriftPolicy }): BindingMistake | null
  permissions(
    input: Pick<AdapterInput<z.output<Config>, z.output<Target>>, 'config' | 'targets'>,
  ): readonly Permission[]
  /** Null: there is no limit that matters, as with an operator's own program. */
  budget(config: z.output<Config>): Budget | null
}

/** What a package that is an adapter exports by default. */
export type AdapterPackage<Config extends z.ZodType, Target extends z.ZodType> = {
  readonly schema: AdapterSchema<Config, Target>
  create(input: AdapterInput<z.output<Config>, z.output<Target>>): Adapter | Promise<Adapter>
}
