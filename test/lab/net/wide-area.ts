/**
 * The wide area: one namespace that routes between all sites, each on a leg of its own.
 *
 * Packets pass from leg to leg in the kernel, or, once an impairment is asked for, through the forwarder: the
 * routing rules prefer table 100 for everything that comes from a leg, and the table is empty without one.
 */
import { LINK_LOCAL_GATEWAY, LINK_LOCAL_SITE, MAX_SITES, WIDE_AREA_GATEWAY } from './addresses.ts'
import { siteAddress, siteAddress6, sitePrefix6 } from './addresses.ts'
import { startForwarder } from './forwarder.ts'
import { createNamespace } from './namespaces.ts'
import type { Attachment, AttachmentRequest, Segment } from './segment.ts'
import type { Forwarder, Impairment } from './forwarder.ts'
import type { Namespace } from './namespaces.ts'

const TUN = 'tun0'
const FORWARDER_TABLE = 100

export const UNIMPAIRED: Impairment = { delayMs: 0, jitterMs: 0, lossPercent: 0 }

/** What comes back from the forwarder, and what the wide area says itself, goes straight to its leg. */
const RULES: readonly string[] = [
  `rule add iif ${TUN} lookup main priority 100`,
  `rule add iif lo lookup main priority 101`,
  `rule add lookup ${FORWARDER_TABLE} priority 102`,
]

export class WideArea implements Segment {
  readonly ipv4 = true
  readonly ipv6 = true
  readonly namespace: Namespace
  #forwarder: Forwarder | undefined
  #everywhere: Impairment = UNIMPAIRED
  #legs = new Map<number, Impairment>()
  #turn: Promise<void> = Promise.resolve()

  constructor(namespace: Namespace) {
    this.namespace = namespace
  }

  get impairment(): Impairment {
    return this.#everywhere
  }

  /** Connects a site's `wan0` or `eth0` with a leg named by the site's number. */
  async attach(request: AttachmentRequest): Promise<Attachment> {
    const { namespace, device, site } = request
    if (site > MAX_SITES) throw new RangeError(`the wide area has room for ${MAX_SITES} sites`)
    const leg = `leg${site}`
    await namespace.ip([
      `link add ${device} type veth peer name ${leg} netns ${this.namespace.name}`,
      `link set ${device} up`,
      ...siteLines(request),
    ])
    const lines = legLines(leg, request)
    const connect = async () => {
      await this.namespace.ip(lines)
      await Promise.all([namespace.linkIsUp(device), this.namespace.linkIsUp(leg)])
    }
    await connect()
    return {
      ...(request.ipv4 ? { address: siteAddress(site) } : {}),
      ...(request.ipv6 ? { address6: siteAddress6(site) } : {}),
      // The far end goes down, as when a cable is pulled; its addresses and routes go with it and come back.
      setLink: async state =>
        await (state === 'up' ? connect() : this.namespace.ip([`link set ${leg} down`])),
      announce: async prefix => {
        const next = prefix.includes(':') ? LINK_LOCAL_SITE : siteAddress(site)
        const line = `route replace ${prefix} via ${next} dev ${leg}`
        lines.push(line)
        await this.namespace.ip([line])
      },
      impair: async impairment => await this.#impairLeg(site, impairment),
    }
  }

  /** Changes what every crossing does. Packets on their way keep the arrival time that they have. */
  async impair(impairment: Impairment): Promise<void> {
    this.#everywhere = impairment
    await this.#apply()
  }

  async close(): Promise<void> {
    await this.#turn.catch(() => {}) // told to whoever asked for the change
    await this.#forwarder?.stop()
  }

  async #impairLeg(site: number, impairment: Impairment): Promise<void> {
    this.#legs.set(site, impairment)
    await this.#apply()
  }

  /** One change after the other: two must not both find that no forwarder runs. */
  async #apply(): Promise<void> {
    const turn = this.#turn.then(async () => {
      const parts = [this.#everywhere, ...this.#legs.values()]
      if (this.#forwarder === undefined && parts.every(isUnimpaired)) return
      this.#forwarder ??= await this.#startForwarder()
      await this.#forwarder.configure({ ...this.#everywhere, legs: Object.fromEntries(this.#legs) })
    })
    this.#turn = turn.catch(() => {})
    await turn
  }

  async #startForwarder(): Promise<Forwarder> {
    const forwarder = await startForwarder(this.namespace, TUN)
    await this.namespace.ip([
      // The queue stands for the line's capacity while the forwarder is not scheduled.
      `link set ${TUN} up txqueuelen 5000`,
      `route add default dev ${TUN} table ${FORWARDER_TABLE}`,
      `route add ::/0 dev ${TUN} table ${FORWARDER_TABLE}`,
    ])
    return forwarder
  }
}

/** Creates the wide area without a site. */
export async function createWideArea(name: string): Promise<WideArea> {
  const namespace = await createNamespace(name, { forwarding: true })
  await Promise.all([
    namespace.ip([`addr add ${WIDE_AREA_GATEWAY}/32 dev lo`, ...RULES]),
    namespace.ip(RULES, 'ipv6'),
  ])
  return new WideArea(namespace)
}

function siteLines({ device, site, ipv4, ipv6 }: AttachmentRequest): string[] {
  return [
    ...(ipv4
      ? [
          `addr add ${siteAddress(site)}/32 dev ${device}`,
          `route add ${WIDE_AREA_GATEWAY}/32 dev ${device}`,
          `route add default via ${WIDE_AREA_GATEWAY} dev ${device}`,
        ]
      : []),
    ...(ipv6
      ? [
          `addr add ${LINK_LOCAL_SITE}/64 dev ${device} nodad`,
          `addr add ${siteAddress6(site)}/128 dev ${device} nodad`,
          `route add default via ${LINK_LOCAL_GATEWAY} dev ${device} src ${siteAddress6(site)}`,
        ]
      : []),
  ]
}

/** Complete and repeatable, so that the same lines bring a leg back after it was down. */
function legLines(leg: string, { site, ipv4, ipv6 }: AttachmentRequest): string[] {
  return [
    `link set ${leg} up`,
    ...(ipv4 ? [`route replace ${siteAddress(site)}/32 dev ${leg}`] : []),
    ...(ipv6
      ? [
          `addr replace ${LINK_LOCAL_GATEWAY}/64 dev ${leg} nodad`,
          `route replace ${sitePrefix6(site)} via ${LINK_LOCAL_SITE} dev ${leg}`,
        ]
      : []),
  ]
}

function isUnimpaired({ delayMs, jitterMs, lossPercent }: Impairment): boolean {
  return delayMs === 0 && jitterMs === 0 && lossPercent === 0
}
