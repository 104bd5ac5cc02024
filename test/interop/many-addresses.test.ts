/** Relays and peers on hosts with hundreds of addresses, in the eyes of other implementations. */

import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { Command, isEvent } from '../lab/command.ts'
import { createNetwork } from '../lab/net/network.ts'
import { Remote } from '../lab/remote.ts'
import { programOf } from './programs.ts'
import type { TestContext } from 'node:test'
import type { Host } from '../lab/net/network.ts'

const LIMIT = { timeout: 120_000 }

/** Addresses of each family: enough for 25 KB in a reservation, and 14 KB in identify, if all were listed. */
const ADDRESSES = 200

/** A relay or a listener on a host with many public addresses; go-libp2p takes no relay that has private ones alone. */
async function start(
  t: TestContext,
  host: Host,
  program: 'throughnat' | 'throughnat-relay',
  args: readonly string[] = [],
): Promise<Command> {
  await host.namespace.ip([
    'link add many0 type veth peer name many1',
    'link set many1 up',
    'link set many0 up',
    ...Array.from({ length: ADDRESSES }, (_, i) => [
      `addr add 11.99.${i}.1/24 dev many0`,
      `addr add 2a0f:fade:99:${i.toString(16)}::1/64 dev many0 nodad`,
    ]).flat(),
  ])
  const dataDir = await mkdtemp(join(tmpdir(), 'throughnat-interop-'))
  const command = new Command(host, program, [...args, '--data-dir', dataDir])
  t.after(async () => {
    command.kill()
    await rm(dataDir, { recursive: true, force: true })
  })
  return command
}

describe('on hosts with 200 addresses of each family', { concurrency: 2 }, () => {
  for (const name of ['go', 'go-0.40', 'rust', 'stock'] as const)
    it(`${name} reserves at our relay, and identifies and reaches our listener there`, LIMIT, async t => {
      await using net = await createNetwork({ delayMs: 5 })
      const [relayHost, ourHost, theirHost] = [
        await net.addHost('relay'),
        await net.addHost('ours'),
        await net.addHost('theirs'),
      ]
      const relay = await start(t, relayHost, 'throughnat-relay')
      const { peerId } = await relay.event(isEvent('relay:ready'))
      const relayAddr = `/ip4/${relayHost.address}/tcp/4001/p2p/${String(peerId)}`
      const listener = await start(t, ourHost, 'throughnat', ['listen', '--relay', relayAddr])
      const { addr } = await listener.event(isEvent('reservation:granted'))

      const { program, args } = programOf(name)
      const theirs = new Remote(theirHost, program, args)
      const reserved = await theirs.do<{ addrs: string[] }>('peer', {
        name,
        relays: [relayAddr],
        reserve: true,
      })
      assert.ok(reserved.addrs.length > 0)
      await relay.event(isEvent('reservation:granted', { peerId: reserved.addrs[0]!.split('/').at(-1) }))
      const connected = await theirs.do<{ path: string }>('connect', {
        name,
        target: addr,
        timeoutMs: 20_000,
      })
      assert.match(connected.path, /relayed|direct/)
      await listener.event(isEvent('peer:connected'))
      theirs.stop()
    })
})
