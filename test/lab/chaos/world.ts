/**
 * The stage of the soak: a service behind one NAT, forwarded to behind another, and two relays that are given by name.
 * The programs are those that people run; each peer has an /etc/hosts of its own.
 */

import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SmallDisk } from '../../network/small-disk.ts'
import { Command, isEvent } from '../command.ts'
import { createNetwork } from '../net/network.ts'
import { Remote } from '../remote.ts'
import { SteppedClock } from '../stepped-clock.ts'
import type { Host, Nat, Network } from '../net/network.ts'

const NAT = 'eim-apdf-drop'
const SERVICE_PORT = 8080
export const LOCAL_PORT = 9090

/** More than the files of all programs take. */
const DISK_SIZE = '2m'

/** A relay, which can move between its hosts. It keeps its identity and its name. */
class NamedRelay {
  readonly name: string
  readonly hosts: readonly Host[]
  readonly clock: SteppedClock
  readonly #dataDir: string
  /** The number of the host that it runs on. */
  #at = 0
  #program: Command | undefined
  peerId = ''

  constructor(name: string, hosts: readonly Host[], clock: SteppedClock, dataDir: string) {
    this.name = name
    this.hosts = hosts
    this.clock = clock
    this.#dataDir = dataDir
  }

  get address(): string {
    return this.hosts[this.#at]!.address
  }

  get addr(): string {
    return `/dns4/${this.name}/tcp/4001/p2p/${this.peerId}`
  }

  get program(): Command {
    assert.ok(this.#program !== undefined, `${this.name} has not been started`)
    return this.#program
  }

  async start(): Promise<void> {
    const host = this.hosts[this.#at]!
    const args = ['--listen', '/ip4/0.0.0.0/tcp/4001', '--profile', 'custom', '--status', 'off']
    this.#program = new Command(host, 'throughnat-relay', [...args, '--data-dir', this.#dataDir], {
      clock: this.clock,
    })
    const { peerId } = await this.#program.event(isEvent('relay:ready'))
    if (this.peerId !== '') assert.equal(peerId, this.peerId, `${this.name} keeps its identity`)
    this.peerId = String(peerId)
  }

  kill(): void {
    this.program.kill()
  }

  /** Its next start is on its other host. */
  move(): void {
    this.#at = (this.#at + 1) % this.hosts.length
  }
}

/** A peer, which can move between its NATs. */
export interface Place {
  host: Host
  nats: readonly [Nat, Nat]
}

export interface World extends AsyncDisposable {
  net: Network
  relays: readonly [NamedRelay, NamedRelay]
  /** The peer with the service, and the one that forwards to it. */
  places: { listen: Place; forward: Place }
  listen: Command
  forward: Command
  /** Makes connections on the host of `forward`. */
  client: Remote
  disk: SmallDisk
  /** Those of the four programs. */
  clocks: readonly SteppedClock[]
  /** Replaces what the relays' names stand for by their present addresses, after these ones. */
  publishNames: (first?: readonly string[]) => Promise<void>
}

/** Writes what can explain a failure into a directory. */
export async function keepEvidence(world: World, directory: string): Promise<void> {
  const { net, relays, listen, forward } = world
  await net.keepEvidence(directory)
  const commands = { listen, forward, 'relay-a': relays[0].program, 'relay-b': relays[1].program }
  for (const [name, { events, stderr }] of Object.entries(commands)) {
    const lines = events.map(event => JSON.stringify(event)).join('\n')
    await writeFile(join(directory, `${name}.events.ndjson`), `${lines}\n`)
    await writeFile(join(directory, `${name}.stderr.txt`), stderr)
  }
}

export async function createWorld(): Promise<World> {
  const stack = new AsyncDisposableStack()
  try {
    const world = await build(stack)
    return { ...world, [Symbol.asyncDispose]: async () => stack.disposeAsync() }
  } catch (error) {
    await stack.disposeAsync()
    throw error
  }
}

async function build(stack: AsyncDisposableStack): Promise<Omit<World, keyof AsyncDisposable>> {
  const disk = await SmallDisk.mount({ after: run => stack.defer(run) }, DISK_SIZE)
  const net = stack.use(await createNetwork({ delayMs: 20 }))

  const [a, b] = [await addRelay(net, 'relay-a', disk), await addRelay(net, 'relay-b', disk)]
  const relays = [a, b] as const
  for (const relay of relays) await relay.start()
  const hostsFile = join(disk.path, 'hosts')
  const publishNames = async (first: readonly string[] = []): Promise<void> => {
    const lines = relays.flatMap(({ name, address }) => [...first, address].map(it => `${it} ${name}`))
    // in place: each program has this file mounted, not its path
    await writeFile(hostsFile, ['127.0.0.1 localhost', ...lines, ''].join('\n'))
  }
  await publishNames()

  const places = { listen: await addPlace(net, 'home'), forward: await addPlace(net, 'away') }
  const server = new Remote(places.listen.host, 'traffic-agent')
  await server.do('serve', { port: SERVICE_PORT })
  const toRelays = relays.flatMap(({ addr }) => ['--relay', addr])
  const expose = ['--expose', `echo=127.0.0.1:${SERVICE_PORT}`, '--allow', 'echo=anyone']
  const listenArgs = ['listen', ...toRelays, ...expose, '--data-dir', join(disk.path, 'listen')]
  const clocks = [new SteppedClock(disk.path, 'listen'), new SteppedClock(disk.path, 'forward')] as const
  const listen = new Command(places.listen.host, 'throughnat', listenArgs, { hostsFile, clock: clocks[0] })
  const { peerId } = await listen.event(isEvent('peer:ready'))
  const toService = ['forward', String(peerId), 'echo', '--local', `127.0.0.1:${LOCAL_PORT}`]
  const forwardArgs = [...toService, ...toRelays, '--data-dir', join(disk.path, 'forward')]
  const forward = new Command(places.forward.host, 'throughnat', forwardArgs, { hostsFile, clock: clocks[1] })
  await forward.event(isEvent('forward:listening'))
  const client = new Remote(places.forward.host, 'traffic-agent')
  const all = [...clocks, a.clock, b.clock]
  return { net, relays, places, listen, forward, client, disk, clocks: all, publishNames }
}

async function addRelay(net: Network, name: string, disk: SmallDisk): Promise<NamedRelay> {
  const hosts = [await net.addHost(`${name}1`), await net.addHost(`${name}2`)]
  return new NamedRelay(`${name}.example`, hosts, new SteppedClock(disk.path, name), join(disk.path, name))
}

async function addPlace(net: Network, name: string): Promise<Place> {
  const nats = [await net.addNat(`${name}-nat1`, NAT), await net.addNat(`${name}-nat2`, NAT)] as const
  return { host: await net.addHost(name, { behind: nats[0] }), nats }
}
