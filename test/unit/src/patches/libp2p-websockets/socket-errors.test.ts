import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { describe, it } from 'node:test'
import { ignoreSocketErrors } from '../../../../../src/patches/libp2p-websockets/socket-errors.ts'
import { refusesWithout } from '../upstream-changed.ts'
import type { SpawnSyncReturns } from 'node:child_process'

const LIMIT = { timeout: 30_000 }

describe('@libp2p/websockets', LIMIT, () => {
  it('ends the process on a malformed frame, which is the fault', () => {
    const { status, stderr } = sendMalformedFrame('')
    assert.equal(status, 1, stderr)
    assert.match(stderr, /Invalid WebSocket frame/)
  })
})

describe('ignoreSocketErrors()', LIMIT, () => {
  it('closes the WebSocket with a protocol error instead', () => {
    const { status, stdout, stderr } = sendMalformedFrame('ignoreSocketErrors(listener)')
    assert.equal(status, 0, stderr)
    assert.equal(stdout, 'closed by the listener\n')
  })

  const members = { onWsServerConnection: () => {} }
  refusesWithout('@libp2p/websockets', members, ignoreSocketErrors)
})

/** Sends a frame that is not masked to a listener in a process of its own, and runs the patch before. */
function sendMalformedFrame(patch: string): SpawnSyncReturns<string> {
  const script = `
    import { once } from 'node:events'
    import { connect } from 'node:net'
    import { getNetConfig } from '@libp2p/utils'
    import { multiaddr } from '@multiformats/multiaddr'
    import { createListener } from './listening.ts'
    import { ignoreSocketErrors } from '../../../../../src/patches/libp2p-websockets/socket-errors.ts'
    const listener = createListener()
    ${patch}
    await listener.listen(multiaddr('/ip4/127.0.0.1/tcp/0/ws'))
    const socket = connect(getNetConfig(listener.getAddrs()[0]).port, '127.0.0.1')
    socket.write('GET / HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\n')
    socket.write('Sec-WebSocket-Version: 13\\r\\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\n\\r\\n')
    await once(socket, 'data')
    socket.resume().write(Buffer.of(0x82, 1, 0))
    await once(socket, 'close')
    console.log('closed by the listener')
    await listener.close()
  `
  return spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    cwd: import.meta.dirname,
    encoding: 'utf8',
    timeout: LIMIT.timeout,
  })
}
