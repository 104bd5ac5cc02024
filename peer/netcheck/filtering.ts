/**
 * The filtering probe: who can connect to a port that has sent to one relay only.
 *
 * That relay dials back from another of its ports. A relay on another host, which the port has never sent to,
 * dials back too; it receives the request over a connection from another port. The duration of a failed
 * dial-back shows how the NAT rejects: quickly with a refusal, or slowly by dropping.
 */

import { multiaddr } from '@multiformats/multiaddr'
import { endpointOf } from '../../src/addresses/endpoint.ts'
import { reserveSparePort } from '../../src/transport/punch-port.ts'
import { describeFailure } from '../connections/describe-failure.ts'
import { assertPlausible } from './mapping.ts'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { DialBackResult } from '../../src/protocols/autonat/service.ts'
import type { ProbeNode } from './probe-node.ts'
import type { Vantage, Vantages } from './reach.ts'
import type { Filtering, Unsolicited } from './report.ts'

/**
 * A dial-back that fails within this time was refused, in milliseconds. If refusals get lost, the SYN is
 * repeated after 1 and 3 s (RFC 6298). Relays of this project wait 5 s, go-libp2p waits 10 s
 * (`dialBackDialTimeout` of p2p/protocol/autonatv2/autonat.go).
 */
const REFUSED_WITHIN_MS = 4_000

/** The result of the probe. */
export interface FilteringFinding {
  filtering: Filtering
  why: string | undefined
  unsolicited: Unsolicited
  whyUnsolicited: string | undefined
  /** The punch port's endpoint, as the first relay sees it. */
  endpoint: Multiaddr
}

/** The outcome of one dial-back, or the reason why it is unknown. */
type Knock = { came: boolean; refused: boolean | undefined } | { unknown: string }

/**
 * Runs the probe. Unknown results have a reason.
 *
 * @throws if the first relay cannot be reached, reports an impossible endpoint, or `signal` fires
 */
export async function probeFiltering(
  node: ProbeNode,
  { first, elsewhere }: Vantages,
  signal: AbortSignal,
): Promise<FilteringFinding> {
  const { endpoint } = await node.observe(first.addr, signal)
  assertPlausible(endpoint, first)
  const [known, stranger] = await Promise.all([
    knock(node, endpoint, first, signal),
    elsewhere === undefined ? undefined : knock(node, endpoint, elsewhere, signal),
  ])
  const judged = judge(known, stranger)
  const silence = [stranger, known].find(it => it !== undefined && 'came' in it && !it.came)
  const turnedAway = silence ?? (await knockAtNothing(node, endpoint, elsewhere ?? first, signal))
  return { why: undefined, ...judged, ...judgeTurn(turnedAway), endpoint }
}

async function knock(
  node: ProbeNode,
  endpoint: Multiaddr,
  from: Vantage,
  signal: AbortSignal,
): Promise<Knock> {
  let result: DialBackResult
  try {
    result = await node.verify(endpoint, from.connection, signal)
  } catch (error) {
    if (signal.aborted) throw error
    const isOld = (error as Error).name === 'UnsupportedProtocolError'
    return {
      unknown: `${from.addr} ${isOld ? 'does not support dial-backs (AutoNAT v2)' : describeFailure(error)}`,
    }
  }
  const { status, dialStatus, elapsedMs, isVerified } = result
  if (isVerified) return { came: true, refused: false }
  if (status === 'OK' && dialStatus === 'E_DIAL_ERROR')
    return { came: false, refused: elapsedMs < REFUSED_WITHIN_MS }
  const answer = status === 'OK' ? dialStatus : status
  return { unknown: `${from.addr} was asked to dial back and answered with ${answer}` }
}

/** Asks for a dial-back to a local port that has sent nothing, so no NAT has an entry for it. */
async function knockAtNothing(
  node: ProbeNode,
  endpoint: Multiaddr,
  from: Vantage,
  signal: AbortSignal,
): Promise<Knock> {
  const spare = reserveSparePort(node.family)
  try {
    const { host } = endpointOf(endpoint)
    const nothing = multiaddr(`/ip${node.family}/${host}/tcp/${spare.address.port}`)
    return await knock(node, nothing, from, signal)
  } finally {
    spare.release()
  }
}

function judge(known: Knock, stranger: Knock | undefined): { filtering: Filtering; why?: string } {
  if (stranger !== undefined && 'came' in stranger && stranger.came)
    return { filtering: 'endpoint-independent' }
  if ('unknown' in known) return { filtering: 'unknown', why: known.unknown }
  if (!known.came) return { filtering: 'address-and-port-dependent' }
  if (stranger === undefined)
    return {
      filtering: 'unknown',
      why: 'the relay can connect from any of its ports; to test other hosts, give a second relay on another host',
    }
  if ('unknown' in stranger) return { filtering: 'unknown', why: stranger.unknown }
  return { filtering: 'address-dependent' }
}

function judgeTurn(turned: Knock): Pick<FilteringFinding, 'unsolicited' | 'whyUnsolicited'> {
  if ('unknown' in turned) return { unsolicited: 'unknown', whyUnsolicited: turned.unknown }
  if (turned.came || turned.refused === undefined)
    return { unsolicited: 'unknown', whyUnsolicited: 'a relay connected to a port where nothing listens' }
  return { unsolicited: turned.refused ? 'refused' : 'dropped', whyUnsolicited: undefined }
}
