/** What the tests of attacks have in common: the victims, and the ways to them. */

import { randomBytes } from 'node:crypto'
import net from 'node:net'
import { after, before } from 'node:test'
import { once } from '../../waits.ts'
import { AttackerConnection, proposal, startAttacker } from './attacker.ts'
import { Rule } from './rule.ts'
import { Victim } from './victim.ts'
import type { AddressInfo } from 'node:net'
import type { Step } from './rule.ts'

/** A relay, a peer that holds a reservation there, and connections of a stranger to both. */
export interface Stage {
  readonly relay: Victim
  readonly peer: Victim
  readonly rule: Rule
  readonly toRelay: AttackerConnection
  readonly toPeer: AttackerConnection
  /** Over the relay. */
  readonly circuit: AttackerConnection
}

/** Sets the stage for the tests of a file. */
export function stage(): Stage {
  const closers: Array<() => unknown> = []
  const t = { after: (close: () => unknown) => void closers.push(close) }
  const built = {} as { -readonly [Name in keyof Stage]: Stage[Name] }
  before(async () => {
    const relay = await Victim.start(t, { kind: 'relay' })
    const peer = await Victim.start(t, {
      kind: 'peer',
      relay: relay.addr,
      servicePort: await startService(t),
    })
    const node = await startAttacker(t)
    const toRelay = new AttackerConnection(node, relay.addr)
    Object.assign(built, {
      relay,
      peer,
      toRelay,
      toPeer: new AttackerConnection(await startAttacker(t), peer.addr),
      circuit: new AttackerConnection(await startAttacker(t), `${relay.addr}/p2p-circuit/p2p/${peer.peerId}`),
      rule: await Rule.calibrate(relay, toRelay, proposal('/ipfs/ping/1.0.0')),
    } satisfies Stage)
  })
  after(async () => {
    for (const close of closers.toReversed()) await close()
  })
  return built
}

/** Sends on streams, after the proposal of a protocol. */
export function onStreams(
  victim: Victim,
  attacker: AttackerConnection,
  protocol: string,
  valid: Buffer,
): Step {
  const before = proposal(protocol)
  const send: Step['send'] = async (bytes, streams) => attacker.send(Buffer.concat([before, bytes]), streams)
  return { victim, valid, send }
}

/** A request of a tunnel's dialer, each with another session. */
export function tunnelRequest(): Buffer {
  const body = JSON.stringify({ service: 'web', session: randomBytes(16).toString('base64url') })
  return Buffer.concat([Buffer.of(body.length), Buffer.from(body)])
}

/** A service that reads everything and says nothing. */
async function startService(t: { after(close: () => unknown): void }): Promise<number> {
  const server = net.createServer(socket => socket.on('error', () => {}).resume())
  t.after(() => server.close())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}
