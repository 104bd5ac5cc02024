import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { defaultLogger } from '@libp2p/logger'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { streamPair } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import { preventOwnReservations } from '../../../../../src/patches/libp2p-circuit-relay-v2/no-own-reservations.ts'
import { refusesWithout } from '../upstream-changed.ts'
import type { CircuitRelayTransportComponents } from '@libp2p/circuit-relay-v2'
import type { Connection, PeerId, Stream, Transport } from '@libp2p/interface'

const LIMIT = { timeout: 30_000 }
const PACKAGE = '@libp2p/circuit-relay-v2'

interface CircuitRelayTransport extends Transport {
  onStop(stream: Stream, connection: Connection): Promise<void>
}

describe(PACKAGE, LIMIT, () => {
  it('reserves at a relay because the relay hands over a circuit, which is the fault', async () => {
    const { relayAddr, listened } = await handOverCircuit(() => {})
    assert.deepEqual(listened, [`${relayAddr}/p2p-circuit`])
  })
})

describe('preventOwnReservations()', LIMIT, () => {
  it('keeps the transport from it', async () => {
    const { listened } = await handOverCircuit(transport => preventOwnReservations([transport]))
    assert.deepEqual(listened, [])
  })

  it('throws TypeError where the transport is not in the list', () => {
    assert.throws(() => preventOwnReservations([]), TypeError)
  })

  refusesWithout(PACKAGE, { 'reservationStore.hasReservation': () => {} }, (transport: object) =>
    preventOwnReservations([
      Object.assign(transport, { [Symbol.toStringTag]: '@libp2p/circuit-relay-v2-transport' }) as never,
    ]),
  )
})

/**
 * Hands the transport a circuit that ends before it says where from. Resolves with the addresses that the
 * transport listens on.
 */
async function handOverCircuit(
  patch: (transport: Transport) => void,
): Promise<{ relayAddr: string; listened: string[] }> {
  const [self, relay] = [await randomPeer(), await randomPeer()]
  const listened: string[] = []
  const components = {
    peerId: self,
    logger: defaultLogger(),
    events: new EventTarget(),
    upgrader: {
      createInboundAbortSignal: () => Object.assign(AbortSignal.timeout(LIMIT.timeout), { clear: () => {} }),
    },
    transportManager: { listen: async (addrs: unknown[]) => listened.push(...addrs.map(String)) },
  }
  const create = circuitRelayTransport()
  const transport = create(components as unknown as CircuitRelayTransportComponents) as CircuitRelayTransport
  patch(transport)
  const [near, far] = await streamPair()
  const remoteAddr = multiaddr(`/ip4/192.0.2.1/tcp/4001/p2p/${relay}`)
  const stopped = transport.onStop(near, { remotePeer: relay, remoteAddr } as Connection)
  await Promise.all([assert.rejects(stopped), far.close()])
  return { relayAddr: remoteAddr.toString(), listened }
}

async function randomPeer(): Promise<PeerId> {
  return peerIdFromPrivateKey(await generateKeyPair('Ed25519'))
}
