/**
 * The filtering probe: who gets in at a port that has sent to one relay alone.
 *
 * That relay dials back from another of its ports, and another host, which the port has never sent to, dials as well: it is asked over a
 * connection from elsewhere. What does not get in also tells how it is turned away, by how long the relay has to wait.
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
 * A dial that fails within this time was refused, in milliseconds: one whose refusals are lost is repeated after 1 and 3 s (RFC 6298), and relays wait for 5 s, go-libp2p for 10 s
 * (`dialBackDialTimeout` of p2p/protocol/autonatv2/autonat.go).
 */
const REFUSED_WITHIN_MS = 4_000

/** What the probe found. */
export interface FilteringFinding {
  filtering: Filtering
  why: string | undefined
  unsolicited: Unsolicited
  whyUnsolicited: string | undefined
  /** What the first relay sees of the punch port. */
  endpoint: Multiaddr
}

/** How one dial-back went. */
type Knock = { came: boolean; refused: boolean | undefined } | { unknown: string }

/** Throws what connecting to the first relay fails with. */
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
    return { unknown: `${from.addr} ${isOld ? 'does not dial back (AutoNAT v2)' : describeFailure(error)}` }
  }
  const { status, dialStatus, elapsedMs, isVerified } = result
  if (isVerified) return { came: true, refused: false }
  if (status === 'OK' && dialStatus === 'E_DIAL_ERROR')
    return { came: false, refused: elapsedMs < REFUSED_WITHIN_MS }
  const answer = status === 'OK' ? dialStatus : status
  return { unknown: `${from.addr} was asked to dial back and answered ${answer}` }
}

/** A local port that has sent nothing, so that no NAT knows it. */
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
      why: 'the relay gets in from any of its ports; whether others do takes a second relay on another host to tell',
    }
  if ('unknown' in stranger) return { filtering: 'unknown', why: stranger.unknown }
  return { filtering: 'address-dependent' }
}

function judgeTurn(turned: Knock): Pick<FilteringFinding, 'unsolicited' | 'whyUnsolicited'> {
  if ('unknown' in turned) return { unsolicited: 'unknown', whyUnsolicited: turned.unknown }
  if (turned.came || turned.refused === undefined)
    return { unsolicited: 'unknown', whyUnsolicited: 'a relay got in where nothing listens' }
  return { unsolicited: turned.refused ? 'refused' : 'dropped', whyUnsolicited: undefined }
}
