/**
 * OpenSSH through a tunnel: sshd behind one NAT, ssh behind another, and what befalls the network between them. One session lives through all of it, and what was typed
 * comes back once and in order.
 */

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { describe, it } from 'node:test'
import { Command, isEvent } from './command.ts'
import { createNetwork } from './net/network.ts'
import { startSshd } from './sshd.ts'
import { inTime, once } from '../waits.ts'
import type { ChildProcess } from 'node:child_process'
import type { TestContext } from 'node:test'
import type { Host, Nat, Network } from './net/network.ts'

const NAT = 'eim-apdf-drop'
const PORT = 2222

/** How soon an answer comes back after the network has, in milliseconds. */
const BACK_WITHIN_MS = 30_000

/** How long there is no network at all, in milliseconds. */
const AWAY_MS = 20_000

interface World {
  net: Network
  relays: Command[]
  listen: Command
  forward: Command
  nats: { home: Nat; away: Nat }
  /** The options of ssh and scp that lead through the tunnel. */
  options: string[]
  /** The host that ssh runs on. */
  away: Host
  directory: string
}

async function createWorld(t: TestContext, init: { delayMs: number }): Promise<World> {
  const net = await createNetwork(init)
  t.after(async () => net.close())
  const directory = await mkdtemp(join(tmpdir(), 'throughnat-ssh-'))
  t.after(async () => rm(directory, { recursive: true, force: true }))
  const [homeNat, awayNat] = [await net.addNat('home-nat', NAT), await net.addNat('away-nat', NAT)]
  const [home, away] = [
    await net.addHost('home', { behind: homeNat }),
    await net.addHost('away', { behind: awayNat }),
  ]
  const options = await startSshd(home, '127.0.0.1', directory)
  const relays: Command[] = []
  const addrs: string[] = []
  for (const n of [1, 2]) {
    const host = await net.addHost(`relay${n}`)
    const args = ['--listen', `/ip4/${host.address}/tcp/4001`, '--data-dir', join(directory, `relay${n}`)]
    const relay = new Command(host, 'throughnat-relay', [...args, '--status', 'off'])
    const ready = await relay.event(isEvent('relay:ready'))
    relays.push(relay)
    addrs.push((ready['addrs'] as string[])[0] ?? '')
  }
  const toRelays = addrs.flatMap(addr => ['--relay', addr])
  const expose = [
    '--expose',
    'ssh=127.0.0.1:22',
    '--allow',
    'ssh=anyone',
    '--data-dir',
    join(directory, 'home'),
  ]
  const listen = new Command(home, 'throughnat', ['listen', ...toRelays, ...expose])
  const { peerId } = await listen.event(isEvent('peer:ready'))
  const local = ['--local', `127.0.0.1:${PORT}`]
  const forward = new Command(away, 'throughnat', ['forward', String(peerId), 'ssh', ...toRelays, ...local])
  await forward.event(isEvent('forward:listening'))
  return { net, relays, listen, forward, nats: { home: homeNat, away: awayNat }, options, away, directory }
}

/** A login whose shell sends back what is typed. */
class Session {
  readonly #ssh: ChildProcess
  readonly #answers: AsyncIterator<string>
  #said = 0
  stderr = ''

  constructor({ away, options }: World) {
    this.#ssh = away.spawn('ssh', ['-p', String(PORT), ...options, 'root@127.0.0.1', 'cat'], {
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    this.#ssh.stderr!.on('data', text => (this.stderr += String(text)))
    this.#answers = createInterface(this.#ssh.stdout!)[Symbol.asyncIterator]()
  }

  /** Types a line, and resolves when it has come back, with how long that took in milliseconds. */
  async say(withinMs = BACK_WITHIN_MS): Promise<number> {
    const startedAt = performance.now()
    const line = `line ${++this.#said}`
    this.#ssh.stdin!.write(`${line}\n`)
    const what = `the answer to ${line}. ssh says: ${this.stderr}`
    const { value } = await inTime(this.#answers.next(), what, withinMs)
    assert.equal(value, line, this.stderr)
    return performance.now() - startedAt
  }

  /** Logs out, and resolves with ssh's exit code. */
  async end(): Promise<number | null> {
    this.#ssh.stdin!.end()
    const [code] = (await once(this.#ssh, 'exit')) as [number | null]
    return code
  }
}

/** Lets two NATs reach each other no more, while all else goes on. */
async function blockBetween({ home, away }: World['nats'], action: 'add' | 'del'): Promise<void> {
  for (const [nat, other] of [
    [home, away],
    [away, home],
  ] as const)
    await nat.exec('ip', ['route', action, 'blackhole', other.publicAddress])
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer)
  return hash.digest('hex')
}

describe('ssh from behind one NAT to behind another', { concurrency: 1 }, () => {
  it('is one session from the punch on, whatever befalls the network', { timeout: 240_000 }, async t => {
    const world = await createWorld(t, { delayMs: 100 })
    const { listen, forward, nats, relays } = world
    const session = new Session(world)
    const told = async (what: string): Promise<void> =>
      t.diagnostic(`${what}: answered after ${Math.round(await session.say())} ms`)

    await told('login')
    await listen.event(isEvent('service:opened', { path: 'relayed' }))
    await forward.event(isEvent('path:changed', { path: 'direct' }))
    await told('direct')

    await Promise.all([nats.home.flushConntrack(), nats.away.flushConntrack()])
    await told('connection tables flushed')

    relays[0]?.kill()
    await told('a relay killed')

    const before = forward.events.length
    await blockBetween(nats, 'add')
    await told('direct path blocked')
    const since = forward.events.slice(before)
    assert.ok(
      since.some(it => it['path'] === 'relayed'),
      JSON.stringify(since),
    )
    await blockBetween(nats, 'del')

    await nats.away.setLink('down')
    const answered = session.say(AWAY_MS + BACK_WITHIN_MS)
    // the time for which the network is away is what the session has to survive
    await pause(AWAY_MS)
    await nats.away.setLink('up')
    const ms = Math.round((await answered) - AWAY_MS)
    t.diagnostic(`no network for ${AWAY_MS / 1000} s: answered ${ms} ms after it was back`)

    assert.equal(await session.end(), 0)
    // one connection of ssh's, and one to sshd, all the time
    assert.equal(forward.events.filter(isEvent('forward:opened')).length, 1)
    assert.equal(listen.events.filter(isEvent('service:opened')).length, 1)
  })

  it('copies 1 GiB, whole', { timeout: 240_000 }, async t => {
    const world = await createWorld(t, { delayMs: 2 })
    const { away, directory, options, forward } = world
    const [from, to] = [join(directory, 'from'), join(directory, 'to')]
    await away.exec('dd', ['if=/dev/urandom', `of=${from}`, 'bs=1M', 'count=1024'], { timeoutMs: 60_000 })
    const startedAt = performance.now()
    await away.exec('scp', ['-P', String(PORT), ...options, from, `root@127.0.0.1:${to}`], {
      timeoutMs: 200_000,
    })
    const seconds = (performance.now() - startedAt) / 1000
    t.diagnostic(`${(1024 / seconds).toFixed(0)} MiB/s`)
    assert.equal(await hashOf(to), await hashOf(from))
    assert.ok(forward.events.some(isEvent('path:changed', { path: 'direct' })))
  })
})
