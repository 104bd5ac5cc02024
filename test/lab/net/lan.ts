/**
 * The inside of a router: a bridge, `lan0`, into which hosts and further routers are plugged.
 *
 * Hosts of one LAN talk to each other without the router. A router behind the router gets an address of a second
 * network on the same bridge (10.x), as behind a carrier's NAT.
 */
import * as plan from './addresses.ts'
import type { Namespace } from './namespaces.ts'
import type { Attachment, AttachmentRequest, Segment } from './segment.ts'

export interface LanInit {
  readonly router: Namespace
  /** The number of the router's site. */
  readonly site: number
  readonly ipv4: 'private' | 'public' | 'absent'
  readonly ipv6: boolean
  /** The router's own attachment, which exists only after the LAN does. */
  readonly uplink: () => Attachment
}

interface Addresses {
  readonly address: string
  readonly gateway: string
  readonly address6: string
  readonly prefix6Length: number
  readonly linkLocal: string
}

export class Lan implements Segment {
  readonly #init: LanInit
  /** The router itself is number 1. */
  #hosts = 1
  #ports = 0

  constructor(init: LanInit) {
    this.#init = init
  }

  get ipv4(): boolean {
    return this.#init.ipv4 !== 'absent'
  }

  get ipv6(): boolean {
    return this.#init.ipv6
  }

  /**
   * Makes the bridge with the router's own addresses.
   *
   * A bridge that goes up before it has a live port starts to carry packets up to a second after it gets one.
   * So it has one from the start, whose other end is deaf.
   */
  async create(): Promise<void> {
    const { router, site, ipv4, ipv6 } = this.#init
    await router.ip([
      'link add socket0 type veth peer name plug0',
      'link set plug0 arp off up',
      'link set socket0 up',
    ])
    await router.linkIsUp('socket0')
    const isPublic = ipv4 === 'public'
    await router.ip([
      'link add lan0 type bridge mcast_snooping 0',
      'link set socket0 master lan0',
      'link set lan0 up',
      ...(ipv4 === 'absent' ? [] : [`addr add ${plan.lanAddress(site, 1, isPublic)}/24 dev lan0`]),
      ...(ipv4 === 'private' ? [`addr add ${plan.carrierAddress(site, 1)}/24 dev lan0`] : []),
      ...(ipv6
        ? [
            `addr add ${plan.LINK_LOCAL_GATEWAY}/64 dev lan0 nodad`,
            `addr add ${plan.lanAddress6(site, 1)}/64 dev lan0 nodad`,
          ]
        : []),
    ])
  }

  async attach(request: AttachmentRequest): Promise<Attachment> {
    const { namespace, device, ipv4, ipv6 } = request
    const { router } = this.#init
    const port = `port${++this.#ports}`
    const addresses = this.#addressesFor(request)
    await namespace.ip([
      `link add ${device} type veth peer name ${port} netns ${router.name}`,
      `link set ${device} up`,
      ...(ipv4
        ? [`addr add ${addresses.address}/24 dev ${device}`, `route add default via ${addresses.gateway}`]
        : []),
      ...(ipv6 ? ipv6Lines(device, addresses) : []),
    ])
    const connect = async () => {
      await router.ip([`link set ${port} up master lan0`])
      await Promise.all([namespace.linkIsUp(device), router.linkIsUp(port)])
    }
    await connect()

    const attachment: Attachment = {
      ...(ipv4 ? { address: addresses.address } : {}),
      ...(ipv6 ? { address6: addresses.address6 } : {}),
      setLink: async state => await (state === 'up' ? connect() : router.ip([`link set ${port} down`])),
      announce: async prefix => await this.#announce(prefix, addresses),
      impair: async impairment => await this.#init.uplink().impair(impairment),
    }
    if (request.site > 0 && ipv6) await attachment.announce(plan.sitePrefix6(request.site))
    return attachment
  }

  /** A route inside, and one further up unless this router hides what is behind it. */
  async #announce(prefix: string, { address, linkLocal }: Addresses): Promise<void> {
    const isIpv6 = prefix.includes(':')
    await this.#init.router.ip([`route replace ${prefix} via ${isIpv6 ? linkLocal : address} dev lan0`])
    if (isIpv6 || this.#init.ipv4 === 'public') await this.#init.uplink().announce(prefix)
  }

  #addressesFor({ site }: AttachmentRequest): Addresses {
    const lan = this.#init.site
    const isPublic = this.#init.ipv4 === 'public'
    const host = ++this.#hosts
    const isRouter = site > 0
    const isSecondTier = isRouter && !isPublic
    return {
      address: isSecondTier ? plan.carrierAddress(lan, site) : plan.lanAddress(lan, host, isPublic),
      gateway: isSecondTier ? plan.carrierAddress(lan, 1) : plan.lanAddress(lan, 1, isPublic),
      address6: isRouter ? plan.siteAddress6(site) : plan.lanAddress6(lan, host),
      prefix6Length: isRouter ? 128 : 64,
      linkLocal: isRouter ? plan.carrierLinkLocal(site) : plan.lanLinkLocal(host),
    }
  }
}

function ipv6Lines(device: string, { address6, prefix6Length, linkLocal }: Addresses): string[] {
  return [
    `addr add ${linkLocal}/64 dev ${device} nodad`,
    `addr add ${address6}/${prefix6Length} dev ${device} nodad`,
    `route add default via ${plan.LINK_LOCAL_GATEWAY} dev ${device} src ${address6}`,
  ]
}
