/**
 * The attacks, and what each cost version 0.1. Those numbers are of commit b1f147b, on two shared cores; where the attack was not measured in
 * the same way, the text says how.
 */

import { combined } from './combined.ts'
import type { Order, Orders } from './attacker.ts'
import type { Question } from './innocent.ts'
import type { FrameName } from './frames.ts'
import type { Victim } from './victims.ts'

/** The programs of one run. */
export interface Scene {
  relay: Victim
  /** Exposes `web`, to the named innocent and to holders of tickets. */
  peer: Victim
  /** What is attacked, and measured. */
  victim: Victim
}

/** What an attack cost version 0.1, as far as it was measured. */
interface Before {
  cost?: string
  delay?: string
  memory?: string
}

/** How the victims are started, and what the innocent asks for. */
interface Setting {
  victim: 'relay' | 'peer'
  asks: Question['kind']
  /** More options of the relay. */
  relayArgs?: readonly string[]
  /** The relay also listens for WebSocket, and the innocent and the attackers use that. */
  isWebSocket?: boolean
  /** The relay asks an admission program, which answers attackers slowly. */
  hasAdmission?: boolean
  /** How often calm and attack take turns. @default 1 */
  rounds?: number
  /** Memory is the size of the data directory. What is noted is written to it later. */
  isOnDisk?: boolean
}

/** One attack. */
export interface Attack extends Setting {
  id: string
  title: string
  before: Before
  orders: (scene: Scene) => Orders
}

const KIB = 1024

/** Public: limits of the libp2p network. */
const PUBLIC = ['--profile', 'public']

const LOCKED_OUT = { delay: 'locked out as long as it lasts' }

/** What innocents do meanwhile. */
const MEANWHILE = {
  service: 'a named peer connects',
  ticket: "a ticket's holder connects",
  data: 'a named peer transfers data over the relay',
} as const

/** Makes rows of the table that share a setting. */
function attacksOn(setting: Setting) {
  return (
    id: string,
    title: string,
    orders: (scene: Scene) => readonly Order[],
    before: Before = {},
  ): Attack => ({
    ...setting,
    id,
    title,
    before,
    orders: scene => ({ once: orders(scene) }),
  })
}

const onRelay = attacksOn({ victim: 'relay', asks: 'handshake' })
const onPublicRelay = attacksOn({ victim: 'relay', asks: 'handshake', relayArgs: PUBLIC })
const onPeer = attacksOn({ victim: 'peer', asks: 'handshake' })
const onService = attacksOn({ victim: 'peer', asks: 'service' })

const lengthOnSocket =
  (kib: number) =>
  ({ victim }: Scene): readonly Order[] => [['sendLength', { port: victim.port, bytes: kib * KIB }]]

/** @param suffix - `-unread`: answers are not read */
function flood(frame: FrameName, mib: number, before: Before, suffix: '' | '-unread' | '-peer' = ''): Attack {
  const unread = suffix === '-unread' ? ', answers not read' : ''
  const title = `${mib} MiB of ${frame}${unread}${suffix === '-peer' ? ', at a peer' : ''}`
  return (suffix === '-peer' ? onPeer : onRelay)(
    `s3-${frame}${suffix}`,
    title,
    ({ victim }) => [['floodFrames', { addr: victim.ownAddr, frame, mib, reads: unread === '' }]],
    before,
  )
}

const OTHER_FRAMES = { cost: '220-340 ms for 4 MiB', delay: '220-340 ms', memory: 'none' }

export const attacks: readonly Attack[] = [
  onRelay('s1-a', 'length without an end on a socket, 64 KiB', lengthOnSocket(64), {
    cost: '410 ms',
    delay: '546 ms',
  }),
  onPublicRelay('s1-a-public', 'length without an end on a socket, 64 KiB, public', lengthOnSocket(64), {
    cost: '400 ms',
    delay: '310 ms',
  }),
  onRelay('s1-a-1m', 'length without an end on a socket, 1024 KiB', lengthOnSocket(1024), {
    cost: '3370 ms',
    delay: '3028 ms',
  }),
  onRelay(
    's1-a-rate',
    'the same at 200 KiB/s for 6 s',
    ({ victim }) => [['drip', { port: victim.port, kibPerSecond: 200, seconds: 6 }]],
    { cost: '6770 ms of 7.8 s', delay: '1600-3400 ms' },
  ),
  onPeer('s1-a-peer', "the same on a socket of a peer's own port, 128 KiB", lengthOnSocket(128), {
    cost: '900 ms',
    delay: '1293 ms',
  }),
  onPeer(
    's1-b',
    'on a stream that the peer opens itself, 250 KiB',
    ({ peer }) => [['answerOwnStream', { addr: peer.ownAddr, bytes: 250 * KIB }]],
    { cost: '1470 ms (relay 1700 ms)' },
  ),
  onPeer(
    's1-c-identify',
    'as the answer to identify, 250 KiB',
    ({ peer }) => [['identifyAnswer', { addr: peer.ownAddr, bytes: 250 * KIB }]],
    { cost: '1360 ms' },
  ),
  onPeer(
    's1-c-stop',
    'as the first message of STOP, 250 KiB',
    ({ peer }) => [['streamLength', { addr: peer.ownAddr, bytes: 250 * KIB, protocol: 'stop' }]],
    { cost: '1370 ms' },
  ),
  onRelay(
    's1-d',
    'on a stream of a stranger, 200 KiB',
    ({ relay }) => [['streamLength', { addr: relay.addr, bytes: 200 * KIB, protocol: 'none' }]],
    { cost: '1410 ms' },
  ),
  onService(
    's2',
    '310 idle circuits of 5 ids at a peer; a named peer connects',
    ({ relay, peer }) => [
      ['lockOut', { relay: relay.addr, target: peer.addr, ids: 5, each: 62, seconds: 45 }],
    ],
    LOCKED_OUT,
  ),
  onService(
    's2-a',
    "70 silent sockets at a peer's port; a named peer connects over the relay",
    ({ peer }) => [['silentSockets', { port: peer.port, count: 70, seconds: 25 }]],
    LOCKED_OUT,
  ),
  attacksOn({ victim: 'peer', asks: 'service', relayArgs: PUBLIC })(
    's2-b',
    '16 silent circuits of 4 ids fill what a public relay allows the peer',
    ({ relay, peer }) => [
      ['holdCircuits', { relay: relay.addr, target: peer.addr, ids: 4, each: 4, seconds: 45 }],
    ],
    { delay: 'locked out, 2 min each, renewable' },
  ),
  flood('ping', 4, { cost: '6600 ms', delay: '6358 ms', memory: '278 MiB' }),
  flood('ping', 8, { cost: '14,100 ms', delay: '16,259 ms', memory: '550 MiB, stays' }, '-unread'),
  flood('synrst', 4, { cost: '6700 ms', delay: '5216 ms', memory: '267 MiB' }, '-unread'),
  flood('synrst', 4, {}),
  flood('ping', 4, {}, '-peer'),
  flood('empty-data', 4, OTHER_FRAMES),
  flood('window', 4, OTHER_FRAMES),
  flood('unknown', 4, OTHER_FRAMES),
  flood('ping-answer', 4, {}),
  flood('go-away', 4, {}),
  attacksOn({
    victim: 'relay',
    asks: 'web-socket',
    relayArgs: [...PUBLIC, '--max-connections', '100'],
    isWebSocket: true,
  })(
    's4',
    '110 half-sent heads at a WebSocket listener for 100 connections, public',
    ({ relay }) => [['halfRequests', { port: relay.webSocketPort, count: 110, seconds: 20 }]],
    { delay: 'locked out for 70 s' },
  ),
  attacksOn({ victim: 'peer', asks: 'handshake', isOnDisk: true })(
    's5',
    '30 strangers that tell 72 KB of themselves each; memory is that of the data directory',
    ({ peer }) => [['fatIdentities', { addr: peer.ownAddr, count: 30 }]],
    { memory: '2.4 MiB on disk, stays' },
  ),
  attacksOn({ victim: 'peer', asks: 'ticket' })(
    's10',
    "2 strangers with 1024 silent streams each; a ticket's holder connects",
    ({ peer }) => [['silentStreams', { addr: peer.ownAddr, peers: 2, count: 1024, seconds: 30 }]],
    { delay: 'one of two refused' },
  ),
  attacksOn({ victim: 'relay', asks: 'http' })(
    'status',
    '64 half requests at the status server',
    ({ relay }) => [['halfRequests', { port: relay.statusPort, count: 64, seconds: 15 }]],
    LOCKED_OUT,
  ),
  attacksOn({ victim: 'relay', asks: 'reserve', hasAdmission: true })(
    'call-out',
    '256 slow questions of one stranger to the admission program',
    ({ relay }) => [['slowReservations', { addr: relay.addr, count: 256, seconds: 15 }]],
    { delay: 'denied as long as it lasts' },
  ),
  ...(['service', 'data'] as const).flatMap(ratesWhile),
  ...(['service', 'ticket', 'data'] as const).map(combinedWhile),
]

/** Attackers that come at a rate, to a relay without limits. */
function ratesWhile(asks: keyof typeof MEANWHILE): Attack[] {
  const seconds = 12
  const setting = { asks, rounds: 4, relayArgs: ['--profile', 'custom'] }
  return [
    attacksOn({ ...setting, victim: 'relay' })(
      `sockets-${asks}`,
      `100 new silent sockets a second at the relay; ${MEANWHILE[asks]}`,
      ({ relay }) => [['newSockets', { port: relay.port, perSecond: 100, seconds }]],
    ),
    attacksOn({ ...setting, victim: 'peer' })(
      `sockets-peer-${asks}`,
      `the same at the peer; ${MEANWHILE[asks]}`,
      ({ peer }) => [['newSockets', { port: peer.port, perSecond: 100, seconds }]],
    ),
    attacksOn({ ...setting, victim: 'peer' })(
      `circuits-${asks}`,
      `50 new silent circuits a second; ${MEANWHILE[asks]}`,
      ({ relay, peer }) => [
        ['silentCircuits', { relay: relay.addr, target: peer.addr, perSecond: 50, seconds }],
      ],
    ),
  ]
}

/** All of them together, at programs with their defaults. */
function combinedWhile(asks: keyof typeof MEANWHILE): Attack {
  return {
    victim: 'peer',
    asks,
    isWebSocket: true,
    hasAdmission: true,
    rounds: 3,
    id: `all-${asks}`,
    title: `all of these together; ${MEANWHILE[asks]}`,
    before: {},
    orders: scene => combined(scene),
  }
}
