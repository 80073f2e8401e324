/** Whom `holdfast status` asks: a control that is named; else the agent of this machine. A named socket always wins. */

/** Where an agent listens when its configuration does not say. */
export const defaultSocket = '/run/holdfast/agent.sock'

/** What is set and empty is not given. */
export const asksControl = ({ socket, url }: { readonly socket?: string; readonly url?: string }): boolean =>
  !socket && Boolean(url)
