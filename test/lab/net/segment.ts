/** What a machine can be plugged into: the wide area, or the LAN of a router. */
import type { Impairment } from './forwarder.ts'
import type { Namespace } from './namespaces.ts'

export type LinkState = 'up' | 'down'

export interface AttachmentRequest {
  readonly namespace: Namespace
  /** The name of the device to make there. */
  readonly device: string
  /** The number of the site that the machine is, or heads; a host on a LAN has none of its own: 0. */
  readonly site: number
  readonly ipv4: boolean
  readonly ipv6: boolean
}

export interface Attachment {
  readonly address?: string
  readonly address6?: string
  /** Pulls the cable or puts it back. The machine keeps its addresses and routes. */
  setLink(state: LinkState): Promise<void>
  /** Routes one more network to the machine. */
  announce(prefix: string): Promise<void>
  /** Adds an impairment to what crosses the wide area from here or to here. */
  impair(impairment: Impairment): Promise<void>
}

export interface Segment {
  readonly ipv4: boolean
  readonly ipv6: boolean
  attach(request: AttachmentRequest): Promise<Attachment>
}
