/**
 * The NAT lab: a small internet of network namespaces, built and removed by a test.
 *
 *     await using net = await createNetwork({ delayMs: 20 })
 *     const relay = await net.addHost('relay')
 *     const home = await net.addNat('home', 'eim-apdf-drop')
 *     const dialer = await net.addHost('dialer', { behind: home })
 *     dialer.spawn('node', ['program.js', relay.address])
 *
 * Needs Linux and root (see prerequisites.mjs). All traffic stays inside; nothing of it shows outside.
 */
import { Evidence } from './evidence.ts'
import { Host, createHost } from './host.ts'
import { guard, release } from './last-resort.ts'
import { deleteNamespaces, emptyNamespaces, nextNamespacePrefix, sweepNamespaces } from './namespaces.ts'
import { natKinds } from './nat-kind.ts'
import { Nat, createNat } from './nat.ts'
import { findMissing } from './prerequisites.mjs'
import { UNIMPAIRED, createWideArea } from './wide-area.ts'
import type { Impairment } from './forwarder.ts'
import type { NatKind, NatKindName } from './nat-kind.ts'
import type { MissingPrerequisite } from './prerequisites.mjs'
import type { WideArea } from './wide-area.ts'

export type { Host } from './host.ts'
export type { Impairment } from './forwarder.ts'
export type { Machine } from './machine.ts'
export type { Nat } from './nat.ts'
export type { Firewall, NatKind, NatKindName, Translation } from './nat-kind.ts'
export { natKinds } from './nat-kind.ts'

/** What a crossing of the wide area does to packets; nothing unless told. */
export type NetworkInit = Partial<Impairment>

export interface AddHostOptions {
  /** The NAT whose LAN the host is on. Without it the host is public, with IPv4 and IPv6. */
  readonly behind?: Nat
}

export interface AddNatOptions {
  /** The NAT whose LAN this one's upstream side is on. */
  readonly behind?: Nat
  /** Lets LAN hosts reach each other by their external endpoints. @default false */
  readonly hairpinning?: boolean
  /** IPv6 beside the kind's IPv4. @default what the kind has: nothing, for those that translate */
  readonly ipv6?: NatKind['ipv6']
}

export class Network {
  readonly #prefix: string
  readonly #wideArea: WideArea
  readonly #machines = new Map<string, Host | Nat | undefined>()
  readonly #evidence = new Evidence()
  #sites = 0
  #closed: Promise<void> | undefined

  constructor(prefix: string, wideArea: WideArea) {
    this.#prefix = prefix
    this.#wideArea = wideArea
  }

  /** Adds a machine on which programs run. */
  async addHost(name: string, { behind }: AddHostOptions = {}): Promise<Host> {
    const namespaceName = this.#claim(name)
    const site = behind === undefined ? ++this.#sites : 0
    const segment = behind?.lan ?? this.#wideArea
    const host = await createHost({ name, namespaceName, site, segment, behind })
    this.#machines.set(name, host)
    return host
  }

  /** Adds a NAT of a named kind, or of one made up for the occasion. */
  async addNat(name: string, kind: NatKindName | NatKind, options: AddNatOptions = {}): Promise<Nat> {
    const namespaceName = this.#claim(name)
    const site = ++this.#sites
    const { behind } = options
    const upstream = behind?.lan ?? this.#wideArea
    const nat = await createNat({
      name,
      namespaceName,
      kind: adapted(typeof kind === 'string' ? natKinds[kind] : kind, options),
      site,
      upstream,
      behind,
    })
    this.#machines.set(name, nat)
    return nat
  }

  get hosts(): readonly Host[] {
    return [...this.#machines.values()].filter(machine => machine instanceof Host)
  }

  get nats(): readonly Nat[] {
    return [...this.#machines.values()].filter(machine => machine instanceof Nat)
  }

  /** Changes what the wide area does to packets from now on; what is left out becomes 0. */
  async impair(impairment: Partial<Impairment>): Promise<void> {
    await this.#wideArea.impair({ ...UNIMPAIRED, ...impairment })
  }

  /** Records the headers of what passes every NAT's upstream side, and the given hosts, until the end. */
  async capture(hosts: readonly Host[] = []): Promise<void> {
    await this.#evidence.capture([...this.nats, ...hosts])
  }

  /** Writes the topology, rule sets, connection tables, addresses, routes and captures into a directory. */
  async keepEvidence(directory: string): Promise<void> {
    await this.#evidence.keep(directory, {
      machines: [...this.hosts, ...this.nats],
      wideArea: this.#wideArea,
    })
  }

  /** Stops every program and removes every namespace. Idempotent. */
  async close(): Promise<void> {
    this.#closed ??= this.#close()
    await this.#closed
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #close(): Promise<void> {
    try {
      await this.#evidence.stop()
      await Promise.all([...this.hosts, ...this.nats].map(async machine => await machine.stop()))
      await this.#wideArea.close()
      await emptyNamespaces(this.#namespaces())
    } finally {
      deleteNamespaces(this.#namespaces())
      release(this)
    }
  }

  /** For the end of the process, when nothing can be awaited any more. */
  abandon(): void {
    deleteNamespaces(this.#namespaces())
  }

  #namespaces(): string[] {
    const names = [...this.#machines.keys()].map(name => `${this.#prefix}${name}`)
    return [...names, this.#wideArea.namespace.name]
  }

  /** Takes a name before the machine exists, so that a half-made one is removed as well. */
  #claim(name: string): string {
    if (!/^[a-z][a-z0-9-]{0,30}$/.test(name) || name === WIDE_AREA)
      throw new RangeError(`"${name}" is no name for a machine of the lab`)
    if (this.#closed !== undefined) throw new Error('the network is closed')
    if (this.#machines.has(name)) throw new Error(`the network already has a machine called ${name}`)
    this.#machines.set(name, undefined)
    return `${this.#prefix}${name}`
  }
}

const WIDE_AREA = 'wide-area'

/** Thrown when this machine cannot run the lab. `missing` names everything at once. */
export class LabUnavailableError extends Error {
  static override readonly name = 'LabUnavailableError'
  override readonly name = 'LabUnavailableError'
  readonly missing: readonly MissingPrerequisite[]

  constructor(missing: readonly MissingPrerequisite[]) {
    const list = missing.map(({ what, debianPackage, why }) => {
      return `${what}${debianPackage === undefined ? '' : ` (apt-get install ${debianPackage})`}: ${why}`
    })
    super(`the NAT lab cannot run here, for want of\n  ${list.join('\n  ')}`)
    this.missing = missing
  }
}

let isPrepared = false

function prepare(): void {
  if (isPrepared) return
  const { missing } = findMissing()
  if (missing.length > 0) throw new LabUnavailableError(missing)
  sweepNamespaces()
  isPrepared = true
}

/**
 * Makes an empty network: a wide area without sites.
 *
 * The first call of a process also removes the networks that killed processes have left behind.
 *
 * @throws {LabUnavailableError} when programs, rights or kernel features are missing.
 */
export async function createNetwork(init: NetworkInit = {}): Promise<Network> {
  prepare()
  const prefix = nextNamespacePrefix()
  const name = `${prefix}${WIDE_AREA}`
  try {
    const network = new Network(prefix, await createWideArea(name))
    guard(network)
    await network.impair(init)
    return network
  } catch (error) {
    deleteNamespaces([name]) // and with it the forwarder
    throw error
  }
}

function adapted(kind: NatKind, { hairpinning, ipv6 }: AddNatOptions): NatKind {
  const ipv4 =
    hairpinning === undefined || typeof kind.ipv4 === 'string' ? kind.ipv4 : { ...kind.ipv4, hairpinning }
  return { ipv4, ipv6: ipv6 ?? kind.ipv6 }
}
