/** What control tells the edge, `GET /v1/edge`: which service answers to which hosts, and where each request may go. */
import * as z from 'zod'

export const edgeSiteSchema = z.object({
  site: z.string(),
  /** Where the site's requests go; only what is before the path counts, and a path in it is put before the request's. */
  url: z.url({ protocol: /^https?$/ }),
  /** What the probes of its origin say; where nobody probes, or has yet, what its nodes say. */
  healthy: z.boolean(),
})

export const edgeRouteSchema = z.object({
  /** Host names in small letters; `*.example.com` stands for every name below. */
  hosts: z.array(z.string()),
  service: z.string(),
  /** The highest epoch of the service. A route with a lower one is older, whenever it arrives. */
  epoch: z.int().min(0),
  owner: z.object({ node: z.string(), site: z.string() }).nullable(),
  /** The owner's site, then the healthy ones in the order of preference, then the others. */
  sites: z.array(edgeSiteSchema),
})

export const edgeMapSchema = z.object({
  /** Another one means that something has changed. */
  generation: z.int().min(0),
  routes: z.array(edgeRouteSchema),
})

export type EdgeSite = z.infer<typeof edgeSiteSchema>
export type EdgeRoute = z.infer<typeof edgeRouteSchema>
export type EdgeMap = z.infer<typeof edgeMapSchema>
