/**
 * The lab tests itself: every kind of NAT shows its behaviour to raw TCP connections, and lines their delay.
 *
 * Without this, a scenario that passes could have passed because its NAT was not one.
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { createNetwork, natKinds } from './net/network.ts'
import { Prober } from './net/prober.ts'
import { nextPacket } from './net/sniffer.ts'
import type { AddNatOptions, Host, Nat, NatKind, NatKindName, Network, Translation } from './net/network.ts'

/** The port that the machine inside shares between its listener and its dials. */
const PORT = 4001

/** A NAT with two hosts inside, and two hosts outside that have nothing to do with each other. */
interface Scene {
  readonly net: Network
  readonly nat: Nat
  readonly inside: Prober
  readonly neighbour: Prober
  readonly friend: Prober
  readonly friendHost: Host
  readonly friendPort: number
  readonly stranger: Prober
  readonly strangerHost: Host
  readonly strangerPort: number
}

async function scene(kind: NatKindName | NatKind, options: AddNatOptions = {}): Promise<Scene> {
  const net = await createNetwork()
  const nat = await net.addNat('nat', kind, options)
  const [insideHost, neighbourHost, friendHost, strangerHost] = await Promise.all([
    net.addHost('inside', { behind: nat }),
    net.addHost('neighbour', { behind: nat }),
    net.addHost('friend'),
    net.addHost('stranger'),
  ])
  const inside = new Prober(insideHost)
  const neighbour = new Prober(neighbourHost)
  const friend = new Prober(friendHost)
  const stranger = new Prober(strangerHost)
  const [friendPort, strangerPort] = await Promise.all([
    friend.listen(),
    stranger.listen(),
    inside.listen(PORT),
    neighbour.listen(PORT),
  ])
  return { net, nat, inside, neighbour, friend, friendHost, friendPort, stranger, strangerHost, strangerPort }
}

const translating = Object.entries(natKinds as Record<NatKindName, NatKind>).flatMap(([name, { ipv4 }]) =>
  typeof ipv4 === 'string' ? [] : [{ name, ...ipv4 }],
)

describe('NATs', { concurrency: 2 }, () => {
  for (const kind of translating) describe(kind.name, () => behaviour(kind))
})

function behaviour(kind: Translation & { name: string }): void {
  let s: Scene
  let external: { address: string; port: number }
  before(async () => {
    s = await scene(kind.name as NatKindName)
  })
  after(async () => await s.net.close())

  it(`an ${kind.name} NAT gives ${kind.mapping === 'eim' ? 'one port towards' : 'another port to'} everyone`, async () => {
    const toFriend = await s.inside.dial(at(s.friendHost, s.friendPort), { fromPort: PORT })
    const toStranger = await s.inside.dial(at(s.strangerHost, s.strangerPort), { fromPort: PORT })
    assert.ok(toFriend.seenAs && toStranger.seenAs)
    assert.equal(toFriend.seenAs.address, s.nat.externalAddress)
    assert.equal(toFriend.seenAs.port === PORT, kind.mapping === 'eim', 'preserves the port')
    assert.equal(toFriend.seenAs.port === toStranger.seenAs.port, kind.mapping === 'eim')
    external = toFriend.seenAs
  })
}

const at = (host: Host, port: number) => ({ address: host.address, port })
