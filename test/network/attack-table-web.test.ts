/** Attacks by strangers over HTTP and WebSockets: 1 MiB costs at most 50 ms of processor, and delays others by at most 50 ms. */

import { describe, it } from 'node:test'
import { attackSocket } from './attacks/attacker.ts'
import { stage } from './attacks/stage.ts'
import { frameAttacks, headAttacks, offerAttacks, UPGRADE_HEAD } from './attacks/web-socket.ts'
import type { Step } from './attacks/rule.ts'

const LIMIT = { timeout: 170_000 }

const set = stage()

const GET = Buffer.from('GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n')

/** Sends on as many sockets. */
function onSockets(port: number, before: Buffer = Buffer.alloc(0)): Step['send'] {
  return async (bytes, count) => {
    const all = Buffer.concat([before, bytes])
    await Promise.all(Array.from({ length: count }, async () => attackSocket(port, all)))
  }
}

describe('1 MiB costs a relay at most 50 ms', LIMIT, () => {
  it('in requests for a WebSocket', async () => {
    const { relay, rule } = set
    await rule.hold({ victim: relay, valid: GET, send: onSockets(relay.webSocketPort) }, headAttacks())
    const upgrade = { victim: relay, valid: UPGRADE_HEAD, send: onSockets(relay.webSocketPort) }
    await rule.hold(upgrade, offerAttacks())
  })

  it('in frames of a WebSocket', async () => {
    const { relay, rule } = set
    const send = onSockets(relay.webSocketPort, UPGRADE_HEAD)
    await rule.hold({ victim: relay, valid: Buffer.of(0x81), send }, frameAttacks())
  })

  it('in requests to the status server', async () => {
    const { relay, rule } = set
    await rule.hold({ victim: relay, valid: GET, send: onSockets(relay.statusPort) }, headAttacks())
  })
})
