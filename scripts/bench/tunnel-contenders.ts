/** What is measured beside each other, each between the same two places of the lab: away, behind a NAT, and home, behind another, or beside it. */

import { mkdtemp, rm } from 'node:fs/promises'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Command, isEvent } from '../../test/lab/command.ts'
import { startDumbpipe } from './dumbpipe.ts'
import { createNetwork } from '../../test/lab/net/network.ts'
import { startSshd } from '../../test/lab/sshd.ts'
import type { Host, Network } from '../../test/lab/net/network.ts'

/** A way from a host to a server that counts and echoes. */
export interface Contender {
  name: string
  /** Where programs on the host connect to. */
  host: string
  port: number
}

/** The place that measurements are made at. */
export interface TunnelStage extends AsyncDisposable {
  away: Host
  contenders: Contender[]
}

/** A link: of each NAT and host towards the wide area. */
export interface Link {
  name: string
  /** One way, in milliseconds. */
  delayMs: number
  /** In megabits a second; undefined for no limit. */
  megabits?: number
}

export const END_PROGRAM: string = fileURLToPath(new URL('tunnel-end.ts', import.meta.url))

const PLAIN_TUNNEL = fileURLToPath(new URL('plain-tunnel.ts', import.meta.url))

const SINK = 9000
const NAT = 'eim-apdf-drop'
/** Between this one and the other, no hole can be punched. */
const HARD_NAT = 'apdm-apdf-drop'

/** Sets everything up, and resolves once one tunnel is direct and the other will stay relayed. */
export async function createTunnelStage(link: Link, withDumbpipe: boolean): Promise<TunnelStage> {
  const directory = await mkdtemp(join(tmpdir(), 'throughnat-bench-'))
  const net = await createNetwork(link.delayMs > 0 ? { delayMs: link.delayMs } : {})
  const stop = async (): Promise<void> => {
    await net.close()
    await rm(directory, { recursive: true, force: true })
  }
  try {
    return { ...(await fill(net, directory, link, withDumbpipe)), [Symbol.asyncDispose]: stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function fill(
  net: Network,
  directory: string,
  link: Link,
  withDumbpipe: boolean,
): Promise<Omit<TunnelStage, keyof AsyncDisposable>> {
  const nats = [
    await net.addNat('home-nat', NAT),
    await net.addNat('hard-nat', HARD_NAT),
    await net.addNat('away-nat', NAT),
  ] as const
  const home = await net.addHost('home', { behind: nats[0] })
  const hard = await net.addHost('hard', { behind: nats[1] })
  const away = await net.addHost('away', { behind: nats[2] })
  const server = await net.addHost('server')
  const relayHost = await net.addHost('relay')
  if (link.megabits !== undefined)
    for (const machine of [...nats, server, relayHost]) await limit(machine, link.megabits)

  for (const host of [home, hard, server]) await startServer(host)
  const relayAddr = await startRelay(relayHost, directory)
  return {
    away,
    contenders: [
      { name: 'plain TCP', host: server.address, port: SINK },
      await socat(away, server),
      await sshForward(away, server, directory),
      ...(withDumbpipe ? [await dumbpipe(away, server)] : []),
      (await startTunnel('direct tunnel', 'direct', home, away, relayAddr, directory)).contender,
      await plainTunnel(home, away, relayAddr),
      (await startTunnel('relayed tunnel', 'relayed', hard, away, relayAddr, directory)).contender,
    ],
  }
}

/** Resolves with its address. */
export async function startRelay(host: Host, directory: string): Promise<string> {
  const relay = new Command(host, 'throughnat-relay', [
    '--listen',
    `/ip4/${host.address}/tcp/4001`,
    '--status',
    'off',
    // the bandwidth of the default profile is bounded
    '--profile',
    'custom',
    '--data-dir',
    join(directory, 'relay'),
  ])
  return ((await relay.event(isEvent('relay:ready')))['addrs'] as string[])[0] ?? ''
}

/** What leaves a machine towards the wide area is as fast as this, with a queue of 50 ms. */
export async function limit(machine: Pick<Host, 'exec' | 'device'>, megabits: number): Promise<void> {
  const shape = ['rate', `${megabits}mbit`, 'burst', '64kb', 'latency', '50ms']
  await machine.exec('tc', ['qdisc', 'add', 'dev', machine.device, 'root', 'tbf', ...shape])
}

/** Serves {@link END_PROGRAM} on a host. */
export async function startServer(host: Host): Promise<void> {
  await firstLine(host, [END_PROGRAM, 'serve', '0.0.0.0', String(SINK)])
}

/** As many programs on the way as a tunnel has: one at each end. */
async function socat(away: Host, server: Host): Promise<Contender> {
  start(server, 'socat', [`TCP-LISTEN:9001,fork,reuseaddr,nodelay`, `TCP:127.0.0.1:${SINK},nodelay`])
  start(away, 'socat', ['TCP-LISTEN:9002,fork,reuseaddr,nodelay', `TCP:${server.address}:9001,nodelay`])
  await listening(server, 9001)
  await listening(away, 9002)
  return { name: 'socat', host: '127.0.0.1', port: 9002 }
}

async function sshForward(away: Host, server: Host, directory: string): Promise<Contender> {
  const options = await startSshd(server, server.address, directory)
  start(away, 'ssh', [...options, '-N', '-L', `9003:127.0.0.1:${SINK}`, `root@${server.address}`])
  await listening(away, 9003)
  return { name: 'ssh -L', host: '127.0.0.1', port: 9003 }
}

async function dumbpipe(away: Host, server: Host): Promise<Contender> {
  await startDumbpipe(away, 9004, server, SINK)
  await listening(away, 9004)
  return { name: 'dumbpipe', host: '127.0.0.1', port: 9004 }
}

/** Resolves once the tunnel is direct, or will stay relayed. */
export async function startTunnel(
  name: string,
  path: 'direct' | 'relayed',
  home: Host,
  away: Host,
  relay: string,
  directory: string,
): Promise<{ contender: Contender; forward: Command }> {
  const listen = new Command(home, 'throughnat', [
    'listen',
    '--relay',
    relay,
    '--data-dir',
    join(directory, home.name),
    '--expose',
    `sink=127.0.0.1:${SINK}`,
    '--allow',
    'sink=anyone',
  ])
  const { peerId } = await listen.event(isEvent('peer:ready'))
  const forward = new Command(away, 'throughnat', [
    'forward',
    String(peerId),
    'sink',
    '--relay',
    relay,
    '--local',
    '127.0.0.1:0',
  ])
  const { port } = await forward.event(isEvent('forward:listening'))
  // a punch that goes on would be measured, too
  if (path === 'direct') await forward.event(isEvent('path:changed', { path }))
  else await forward.event(isEvent('holepunch:failed'))
  return { contender: { name, host: '127.0.0.1', port: Number(port) }, forward }
}

/** As the direct tunnel, but for continuity. */
async function plainTunnel(home: Host, away: Host, relay: string): Promise<Contender> {
  const peerId = await firstLine(home, [PLAIN_TUNNEL, 'listen', relay, String(SINK)])
  const port = Number(await firstLine(away, [PLAIN_TUNNEL, 'forward', relay, peerId]))
  return { name: 'without continuity', host: '127.0.0.1', port }
}

/** Starts a program of ours, and resolves with the first line that it prints. */
async function firstLine(host: Host, args: readonly string[]): Promise<string> {
  const child = host.spawn(process.execPath, [...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(createInterface(child.stdout!), 'line')) as [string]
  return line
}

function start(host: Host, program: string, args: string[]): void {
  host.spawn(program, args, { stdio: 'ignore' })
}

/** Resolves when something listens on a port of a host. */
async function listening(host: Host, port: number): Promise<void> {
  for (const end = Date.now() + 20_000; Date.now() < end; ) {
    const { stdout } = await host.exec('ss', ['-Hltn', `sport = :${port}`])
    if (stdout !== '') return
  }
  throw new Error(`Nothing listens on port ${port} of ${host.name}`)
}
