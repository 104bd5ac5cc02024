/**
 * The faults of the soak. Each begins, and then new connections have to work; some last until they are healed, and
 * connections have to work before that.
 */

import { setTimeout as pause } from 'node:timers/promises'
import { STEP_TAKES_MS } from '../stepped-clock.ts'
import type { Place, World } from './world.ts'

/** Larger than any packet of a handshake, in bytes with the IP header. */
const LARGEST_PACKET = 1_300

/** Nothing is there. The wide area drops what is sent to it. */
const DEAD_ADDRESS = '11.0.77.1'

const LOSS_PERCENT = 20
const LINE = { delayMs: 20 }

/** An hour and two days both ways, and to 1972, in seconds. */
const CLOCK_STEPS_S = [-3_600, 3_600, -172_800, 172_800, -1_728_000_000] as const

/** Random numbers from 0 to 1, the same ones for the same seed. */
export type Random = () => number

export interface Fault {
  begin(world: World, random: Random): Promise<void>
  /** Ends a fault that lasts, also one that has begun only in part. */
  heal?(world: World): Promise<void>
}

export const faults = {
  'relay restart': {
    async begin({ relays }, random) {
      const [a, b] = relays
      const restarted = pick([[a], [b], [a, b]], random)
      for (const relay of restarted) relay.kill()
      // how long there is no relay is what varies here
      await pause(random() * 3_000)
      await Promise.all(restarted.map(async relay => relay.start()))
    },
  },

  'other network': {
    async begin({ places }, random) {
      const { host, nats } = pick(Object.values(places), random)
      await host.move(host.behind === nats[0] ? nats[1] : nats[0])
    },
  },

  'conntrack flush': {
    async begin({ places }, random) {
      const flushed = pick([[places.listen], [places.forward], Object.values(places)], random)
      await Promise.all(flushed.map(async ({ host }) => host.behind?.flushConntrack()))
    },
  },

  'large packets lost': {
    async begin(world) {
      await Promise.all(Object.values(world.places).map(async place => loseLargePackets(place, world)))
    },
    async heal({ places }) {
      const rules = 'add table inet lossy\ndelete table inet lossy\n'
      await Promise.all(Object.values(places).map(async ({ host }) => host.namespace.nft(rules)))
    },
  },

  'loss 20 %': {
    begin: async ({ net }) => net.impair({ ...LINE, lossPercent: LOSS_PERCENT }),
    heal: async ({ net }) => net.impair(LINE),
  },

  'disk full': {
    async begin({ disk, relays }, random) {
      disk.fill()
      const relay = pick(relays, random)
      relay.kill()
      await relay.start()
    },
    heal: async ({ disk }) => disk.free(),
  },

  stopped: {
    async begin({ listen, forward }, random) {
      const program = pick([listen, forward], random)
      program.kill('SIGSTOP')
      // how long the program does not run is what varies here
      await pause(2_000 + random() * 6_000)
      program.kill('SIGCONT')
    },
  },

  'clock step': {
    async begin({ clocks }, random) {
      const stepped = pick([...clocks.map(it => [it]), clocks], random)
      for (const clock of stepped) clock.setBy(pick(CLOCK_STEPS_S, random))
      await pause(STEP_TAKES_MS)
    },
    /** A time server sets them right. */
    async heal({ clocks }) {
      for (const clock of clocks) clock.setBy(0)
      await pause(STEP_TAKES_MS)
    },
  },

  'DNS change': {
    /** A relay moves to another host, and its name with it. */
    async begin({ relays, publishNames }, random) {
      const relay = pick(relays, random)
      relay.kill()
      relay.move()
      await publishNames(random() < 0.5 ? [DEAD_ADDRESS] : [])
      await relay.start()
    },
    heal: async ({ publishNames }) => publishNames(),
  },
} as const satisfies Record<string, Fault>

export type FaultKind = keyof typeof faults

export const faultKinds = Object.keys(faults) as FaultKind[]

/** Drops large packets that come to a peer from anywhere but the relays. */
async function loseLargePackets({ host }: Place, { relays }: World): Promise<void> {
  const addresses = relays.flatMap(it => it.hosts).map(({ address }) => address)
  await host.namespace.nft(
    [
      'add table inet lossy',
      'add chain inet lossy input { type filter hook input priority 0; }',
      `add rule inet lossy input iif != lo ip saddr != { ${addresses.join(', ')} } meta length > ${LARGEST_PACKET} drop`,
      '',
    ].join('\n'),
  )
}

function pick<T>(items: readonly T[], random: Random): T {
  return items[Math.floor(random() * items.length)]!
}
