/**
 * Which services there are and who may use them.
 *
 * The invariant: without a rule nobody may, and looking up a service that does not exist takes the same steps as
 * looking up one that is closed to the asker.
 */
import { parsePeerId } from '../../../src/addresses/peer-id.ts'
import { InvalidConfigError } from '../../../src/errors.ts'
import type { ConfigProblem } from '../../../src/errors.ts'
import { isServiceName } from '../wire/protocol.ts'

/** Where a local service listens, and how it is spoken to. */
export type ServiceAddress = (
  | {
      host: string
      /** 1 to 65535. */
      port: number
    }
  | {
      /** Of a Unix socket. */
      path: string
    }
) & {
  /** Begins each connection with a header that says who it comes from, see proxy-header.ts. @default false */
  proxyHeader?: boolean
}

/** Peer ids as text, in any of their spellings, or everyone who can reach this peer. */
export type ServiceRule = 'anyone' | ReadonlySet<string>

export interface ServiceRules {
  /** Finds the address of a service for a peer, given by its id as base58 text, or tells why there is none. */
  find: (service: string, peerId: string) => ServiceAddress | 'unknown' | 'not-allowed'
  /** Whether some rule has the peer in it, by its id as base58 text. */
  names: (peerId: string) => boolean
  /** The address of a service, whoever asks. */
  addressOf: (service: string) => ServiceAddress | undefined
}

/**
 * Checks and freezes services and rules.
 *
 * @throws {InvalidConfigError} with all that is wrong with them.
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
      problems.push({ where: `rule "${name}"`, what: 'there is no service of that name' })
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

/** Brings peer ids into the one spelling that connections report, base58; others would never match. */
function* parsePeerIds(name: string, peerIds: Iterable<string>, problems: ConfigProblem[]): Iterable<string> {
  for (const peerId of peerIds) {
    try {
      yield parsePeerId(peerId).toString()
    } catch {
      problems.push({ where: `rule "${name}"`, what: `"${peerId}" is no peer id, and not the word anyone` })
    }
  }
}
