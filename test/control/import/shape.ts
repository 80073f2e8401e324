/** keepalived configurations as they are found in the wild, each with what an agent's configuration must say instead. */

export type Shape = {
  readonly name: string
  readonly text: string
  /** What its includes bring in, and scripts that it runs: by path. */
  readonly files?: Readonly<Record<string, string>>
  /** Under a schema that accepts all of the design. */
  readonly becomes: { readonly services: object; readonly checks?: object; readonly groups?: object }
  /** `line kind what: text`, as far as given, in any order. */
  readonly says?: readonly string[]
}

/** What `instance` below becomes. */
export const web = { interface: 'eth0', vrid: 51, priority: 101, addresses: ['192.0.2.10/32'], version: 2 }

/** The plainest instance, and what else it says. */
export const instance = (inside: string): string => `vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority 101
    virtual_ipaddress {
        192.0.2.10
    }
${inside}
}
`
