/**
 * The services, and the rules that decide who may use them.
 *
 * Invariants: without a rule a service is closed. Looking up a missing service takes the same steps as
 * looking up one that is closed to the peer.
 */
import { parsePeerId } from '../../../src/addresses/peer-id.ts'
import { InvalidConfigError } from '../../../src/errors.ts'
import type { ConfigProblem } from '../../../src/errors.ts'
import { isServiceName } from '../wire/protocol.ts'

/** The address of a local service, and how connections to it begin. */
export type ServiceAddress = (
  | {
      host: string
      /** 1 to 65535. */
      port: number
    }
  | {
      /** The path of a Unix socket. */
      path: string
    }
) & {
  /** Starts each connection with a header that names the peer, see proxy-header.ts. @default false */
  proxyHeader?: boolean
}

/** Peer ids as text, in any encoding, or everyone who can reach this peer. */
export type ServiceRule = 'anyone' | ReadonlySet<string>

export interface ServiceRules {
  /** Finds the address of a service for a peer, or the reason for a refusal. `peerId` is base58 text. */
  find: (service: string, peerId: string) => ServiceAddress | 'unknown' | 'not-allowed'
  /** True if a rule names the peer. `peerId` is base58 text. */
  names: (peerId: string) => boolean
  /** The address of a service, regardless of the peer. */
  addressOf: (service: string) => ServiceAddress | undefined
}

/**
 * Checks and freezes services and rules.
 *
 * @throws {InvalidConfigError} with all problems
 */
export function createServiceRules(
  services: ReadonlyMap<string, ServiceAddress>,
  allow: ReadonlyMap<string, ServiceRule>,
): ServiceRules {
  const problems: ConfigProblem[] = []
  for (const [name, address] of services) {
    if (!isServiceName(name)) problems.push({ where: `service "${name}"`, what: nameRule })
    if ('path' in address) continue
    const { port } = address
    if (!Number.isInteger(port) || port < 1 || port > 65535) {
      problems.push({ where: `service "${name}"`, what: `the port is ${port}; it must be 1 to 65535` })
    }
  }
  const addresses = new Map(services)
  const rules = new Map<string, 'anyone' | Set<string>>()
  for (const [name, rule] of allow) {
    if (!addresses.has(name))
      problems.push({ where: `rule "${name}"`, what: 'there is no service with that name' })
    rules.set(name, rule === 'anyone' ? rule : new Set(parsePeerIds(name, rule, problems)))
  }
  if (problems.length > 0) throw new InvalidConfigError(problems)

  return {
    find(service, peerId) {
      const address = addresses.get(service)
      const rule = rules.get(service)
      const isAllowed = rule === 'anyone' || rule?.has(peerId) === true
      if (address !== undefined && isAllowed) return address
      return address === undefined ? 'unknown' : 'not-allowed'
    },
    names: peerId => [...rules.values()].some(rule => rule !== 'anyone' && rule.has(peerId)),
    addressOf: service => addresses.get(service),
  }
}

const nameRule =
  'the name must have 1 to 63 letters, digits, dots, dashes and underscores, the first a letter or a digit'

/** Converts peer ids to base58, the encoding that connections report. Other encodings would never match. */
function* parsePeerIds(name: string, peerIds: Iterable<string>, problems: ConfigProblem[]): Iterable<string> {
  for (const peerId of peerIds) {
    try {
      yield parsePeerId(peerId).toString()
    } catch {
      problems.push({ where: `rule "${name}"`, what: `"${peerId}" is neither a peer id nor the word anyone` })
    }
  }
}
