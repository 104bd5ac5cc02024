/** A machine on which programs run: public, or on the LAN of a NAT. */
import { Machine } from './machine.ts'
import { createNamespace } from './namespaces.ts'
import type { MachineInit } from './machine.ts'
import type { Nat } from './nat.ts'
import type { Segment } from './segment.ts'

const DEVICE = 'eth0'

export interface HostInit {
  readonly name: string
  readonly namespaceName: string
  /** 0 on a LAN. */
  readonly site: number
  readonly segment: Segment
  readonly behind: Nat | undefined
}

export class Host extends Machine {
  #behind: Nat | undefined

  constructor(init: MachineInit & { behind: Nat | undefined }) {
    super(init)
    this.#behind = init.behind
  }

  /** The NAT whose LAN this host is on. */
  get behind(): Nat | undefined {
    return this.#behind
  }

  /** Carries the host to another NAT's LAN, as a laptop goes from one coffee shop to the next. */
  async move(behind: Nat): Promise<void> {
    const { namespace, device } = this
    const { ipv4, ipv6 } = behind.lan
    await this.replug(async () => behind.lan.attach({ namespace, device, site: 0, ipv4, ipv6 }))
    this.#behind = behind
  }
}

/** Makes a host with all address families of the segment. */
export async function createHost({ name, namespaceName, site, segment, behind }: HostInit): Promise<Host> {
  const namespace = await createNamespace(namespaceName, { forwarding: false })
  const { ipv4, ipv6 } = segment
  const attachment = await segment.attach({ namespace, device: DEVICE, site, ipv4, ipv6 })
  return new Host({ name, namespace, device: DEVICE, attachment, behind })
}
