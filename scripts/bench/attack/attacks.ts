/**
 * The attacks, and what each cost version 0.1. Those numbers are of commit b1f147b, on two shared cores; where the attack was not measured in
 * the same way, the text says how.
 */

import type { Child } from '../child.ts'
import type { Question } from './innocent.ts'
import type { FrameName } from './frames.ts'
import type { Victim } from './victims.ts'

/** The programs of one run. */
export interface Scene {
  relay: Victim
  /** Exposes `web`, to the named innocent and to holders of tickets. */
  peer: Victim | undefined
  /** What is attacked, and measured. */
  victim: Victim
  attacker: Child
}

/** One attack. */
export interface Attack {
  id: string
  title: string
  victim: 'relay' | 'peer'
  /** More options of the relay. */
  relayArgs?: readonly string[]
  /** The relay listens for WebSocket. */
  isWebSocket?: boolean
  /** What the innocent asks for. */
  asks: Question['kind']
  /** The innocent asks the relay while the peer is attacked. */
  asksRelay?: boolean
  /** Version 0.1. */
  before: { cost: string; delay: string; memory: string }
  /** Resolves with the bytes that the attacker has sent. */
  run(scene: Scene): Promise<number>
}

const KIB = 1024
const ATTACK_MS = 120_000

/** Public: limits of the libp2p network. */
const PUBLIC = ['--profile', 'public']

const portOf = (addr: string): number => Number(/\/tcp\/(\d+)/.exec(addr)?.[1])

/** The peer's own address on loopback. */
function directAddr({ peer }: Scene): string {
  const port = peer!.port
  const id = peer!.addr.split('/p2p/').at(-1)
  return `/ip4/127.0.0.1/tcp/${port}/p2p/${id}`
}

function lengthOnSocket(
  id: string,
  kib: number,
  before: Attack['before'],
  relayArgs: readonly string[] = [],
): Attack {
  return {
    id,
    title: `length without an end on a socket, ${kib} KiB${relayArgs.length > 0 ? ', public' : ''}`,
    victim: 'relay',
    relayArgs,
    asks: 'handshake',
    before,
    run: async ({ attacker, victim }) =>
      attacker.do('sendLength', { port: portOf(victim.addr), bytes: kib * KIB }, ATTACK_MS),
  }
}

function flood(
  frame: FrameName,
  mib: number,
  reads: boolean,
  before: Attack['before'],
  victim: Attack['victim'] = 'relay',
): Attack {
  return {
    id: `s3-${frame}${reads ? '' : '-unread'}${victim === 'peer' ? '-peer' : ''}`,
    title: `${mib} MiB of ${frame}${reads ? '' : ', answers not read'}${victim === 'peer' ? ', at a peer' : ''}`,
    victim,
    asks: 'handshake',
    before,
    run: async scene =>
      scene.attacker.do(
        'floodFrames',
        { addr: victim === 'peer' ? directAddr(scene) : scene.victim.addr, frame, mib, reads },
        ATTACK_MS,
      ),
  }
}

const OTHER_FRAMES = { cost: '220-340 ms for 4 MiB', delay: '220-340 ms', memory: 'none' }
const NOT_MEASURED = { cost: 'not measured', delay: 'not measured', memory: 'not measured' }

export const attacks: readonly Attack[] = [
  lengthOnSocket('s1-a', 64, { cost: '410 ms', delay: '546 ms', memory: 'not measured' }),
  lengthOnSocket('s1-a-public', 64, { cost: '400 ms', delay: '310 ms', memory: 'not measured' }, PUBLIC),
  lengthOnSocket('s1-a-1m', 1024, { cost: '3370 ms', delay: '3028 ms', memory: 'not measured' }),
  {
    id: 's1-a-rate',
    title: 'the same at 200 KiB/s for 6 s',
    victim: 'relay',
    asks: 'handshake',
    before: { cost: '6770 ms of 7.8 s', delay: '1600-3400 ms', memory: 'not measured' },
    run: async ({ attacker, victim }) =>
      attacker.do('drip', { port: portOf(victim.addr), kibPerSecond: 200, seconds: 6 }, ATTACK_MS),
  },
  {
    id: 's1-a-peer',
    title: "the same on a socket of a peer's own port, 128 KiB",
    victim: 'peer',
    asks: 'handshake',
    before: { cost: '900 ms', delay: '1293 ms', memory: 'not measured' },
    run: async ({ attacker, victim }) =>
      attacker.do('sendLength', { port: victim.port, bytes: 128 * KIB }, ATTACK_MS),
  },
  {
    id: 's1-b',
    title: 'on a stream that the peer opens itself, 250 KiB',
    victim: 'peer',
    asks: 'handshake',
    before: { cost: '1470 ms (relay 1700 ms)', delay: 'not measured', memory: 'not measured' },
    run: async scene =>
      scene.attacker.do('answerOwnStream', { addr: directAddr(scene), bytes: 250 * KIB }, ATTACK_MS),
  },
  {
    id: 's1-c-identify',
    title: 'as the answer to identify, 250 KiB',
    victim: 'peer',
    asks: 'handshake',
    before: { cost: '1360 ms', delay: 'not measured', memory: 'not measured' },
    run: async scene =>
      scene.attacker.do('identifyAnswer', { addr: directAddr(scene), bytes: 250 * KIB }, ATTACK_MS),
  },
  {
    id: 's1-c-stop',
    title: 'as the first message of STOP, 250 KiB',
    victim: 'peer',
    asks: 'handshake',
    before: { cost: '1370 ms', delay: 'not measured', memory: 'not measured' },
    run: async scene =>
      scene.attacker.do(
        'streamLength',
        { addr: directAddr(scene), bytes: 250 * KIB, protocol: 'stop' },
        ATTACK_MS,
      ),
  },
  {
    id: 's1-d',
    title: 'on a stream of a stranger, 200 KiB',
    victim: 'relay',
    asks: 'handshake',
    before: { cost: '1410 ms', delay: 'not measured', memory: 'not measured' },
    run: async ({ attacker, victim }) =>
      attacker.do('streamLength', { addr: victim.addr, bytes: 200 * KIB, protocol: 'none' }, ATTACK_MS),
  },
  {
    id: 's2',
    title: '310 idle circuits of 5 ids at a peer; a named peer connects',
    victim: 'peer',
    asks: 'service',
    before: { cost: 'not measured', delay: 'locked out as long as it lasts', memory: 'not measured' },
    run: async ({ attacker, relay, victim }) =>
      attacker.do(
        'lockOut',
        { relay: relay.addr, target: victim.addr, ids: 5, each: 62, seconds: 45 },
        ATTACK_MS,
      ),
  },
  {
    id: 's2-a',
    title: "70 silent sockets at a peer's port; a named peer connects over the relay",
    victim: 'peer',
    asks: 'service',
    before: { cost: 'not measured', delay: 'locked out as long as it lasts', memory: 'not measured' },
    run: async ({ attacker, victim }) =>
      attacker.do('silentSockets', { port: victim.port, count: 70, seconds: 25 }, ATTACK_MS),
  },
  {
    id: 's2-b',
    title: '16 silent circuits of 4 ids fill what a public relay allows the peer',
    victim: 'peer',
    relayArgs: PUBLIC,
    asks: 'service',
    before: { cost: 'not measured', delay: 'locked out, 2 min each, renewable', memory: 'not measured' },
    run: async ({ attacker, relay, victim }) =>
      attacker.do(
        'holdCircuits',
        { relay: relay.addr, target: victim.addr, ids: 4, each: 4, seconds: 45 },
        ATTACK_MS,
      ),
  },
  flood('ping', 4, true, { cost: '6600 ms', delay: '6358 ms', memory: '278 MiB' }),
  flood('ping', 8, false, { cost: '14,100 ms', delay: '16,259 ms', memory: '550 MiB, stays' }),
  flood('synrst', 4, false, { cost: '6700 ms', delay: '5216 ms', memory: '267 MiB' }),
  flood('synrst', 4, true, NOT_MEASURED),
  flood('ping', 4, true, NOT_MEASURED, 'peer'),
  flood('empty-data', 4, true, OTHER_FRAMES),
  flood('window', 4, true, OTHER_FRAMES),
  flood('unknown', 4, true, OTHER_FRAMES),
  flood('ping-answer', 4, true, NOT_MEASURED),
  flood('go-away', 4, true, NOT_MEASURED),
  {
    id: 's4',
    title: '110 half-sent heads at a WebSocket listener for 100 connections, public',
    victim: 'relay',
    relayArgs: [...PUBLIC, '--max-connections', '100'],
    isWebSocket: true,
    asks: 'web-socket',
    before: { cost: 'not measured', delay: 'locked out for 70 s', memory: 'not measured' },
    run: async ({ attacker, victim }) =>
      attacker.do('halfRequests', { port: portOf(victim.addr), count: 110, seconds: 20 }, ATTACK_MS),
  },
  {
    id: 's5',
    title: '30 strangers that tell 72 KB of themselves each; memory is that of the data directory',
    victim: 'peer',
    asks: 'handshake',
    before: { cost: 'not measured', delay: 'not measured', memory: '2.4 MiB on disk, stays' },
    run: async scene => scene.attacker.do('fatIdentities', { addr: directAddr(scene), count: 30 }, ATTACK_MS),
  },
  {
    id: 's10',
    title: "2 strangers with 1024 silent streams each; a ticket's holder connects",
    victim: 'peer',
    asks: 'ticket',
    before: { cost: 'not measured', delay: 'one of two refused', memory: 'not measured' },
    run: async scene =>
      scene.attacker.do(
        'silentStreams',
        { addr: directAddr(scene), peers: 2, count: 1024, seconds: 30 },
        ATTACK_MS,
      ),
  },
  {
    id: 'status',
    title: '64 half requests at the status server',
    victim: 'relay',
    asks: 'http',
    before: { cost: 'not measured', delay: 'locked out as long as it lasts', memory: 'not measured' },
    run: async ({ attacker, victim }) =>
      attacker.do(
        'halfRequests',
        { port: Number(new URL(victim.status).port), count: 64, seconds: 15 },
        ATTACK_MS,
      ),
  },
  {
    id: 'call-out',
    title: '256 slow questions of one stranger to the admission program',
    victim: 'relay',
    asks: 'reserve',
    before: { cost: 'not measured', delay: 'denied as long as it lasts', memory: 'not measured' },
    run: async ({ attacker, victim }) =>
      attacker.do('slowReservations', { addr: victim.addr, count: 256, seconds: 15 }, ATTACK_MS),
  },
]
