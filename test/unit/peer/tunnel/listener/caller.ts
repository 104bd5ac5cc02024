/** Who asks in the tests of the listening side, and for what. */
import { createServer } from 'node:net'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { multiaddr } from '@multiformats/multiaddr'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { once } from '../../../../waits.ts'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import type { PeerId } from '@libp2p/interface'
import type { Bearer } from '../../../../../peer/tunnel/listener/services.ts'

export const remotePeer: PeerId = peerIdFromPrivateKey(await generateKeyPair('Ed25519'))
export const connection: Bearer = {
  remotePeer,
  remoteAddr: multiaddr('/ip4/192.0.2.7/tcp/4001'),
  direct: true,
}
export const session: string = 'x'.repeat(22)

/** A service that says nothing. */
export async function silentService(t: TestContext): Promise<{ host: string; port: number }> {
  const server = createServer(socket => socket.on('error', () => {})).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
}
