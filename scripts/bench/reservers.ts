/** Many peers in one process, each of which holds a reservation at one relay: see {@link Reserver}. */

import { multiaddr } from '@multiformats/multiaddr'
import { Reserver } from './reserver.ts'
import { programOptions, serve } from './serve.ts'

interface ReserversOptions {
  /** Which of the processes this is; each has loopback addresses of its own. */
  index: number
}

/** What the peers do beside refreshing. */
interface Habits {
  /** They ask who the relay is when they have connected. */
  hasIdentify: boolean
  /** Each pings the relay so often, in milliseconds; 0 is never. */
  pingEveryMs: number
  /** yamux does so, in its own way. */
  keepAliveMs: number
}

/** Ports of one loopback address run out at 28,000, and limits are by address. */
const PEERS_PER_ADDRESS = 1000

/** Handshakes under way in this process: more would only queue, and time out in the end. */
const AT_ONCE = 8

const { index } = programOptions<ReserversOptions>()
let reservers: Reserver[] = []
const failures = new Map<string, number>()

serve({ reserve, idle, leave })

/** Connects peers, each of which reserves; resolves with how many did. */
async function reserve(args: { relayAddr: string; peers: number } & Habits): Promise<Held> {
  const relay = multiaddr(args.relayAddr)
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < args.peers) await attempt(async () => add(relay, next++, args))
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  return held()
}

async function add(relay: ReturnType<typeof multiaddr>, number: number, habits: Habits): Promise<void> {
  const localAddress = `127.0.${index + 1}.${Math.floor(number / PEERS_PER_ADDRESS) + 1}`
  const reserver = await Reserver.connect(relay, localAddress, habits.keepAliveMs)
  if (habits.hasIdentify) await reserver.identify()
  await reserver.reserve()
  reservers.push(reserver)
}

/** Holds the reservations for a while, and refreshes what falls due in it. */
async function idle(args: { forMs: number; refreshEveryMs: number } & Habits): Promise<Held> {
  const share = Math.min(1, args.forMs / args.refreshEveryMs)
  const due = reservers.slice(0, Math.round(reservers.length * share))
  const timers = spread(due, args.forMs, reserver => reserver.reserve())
  if (args.pingEveryMs > 0) {
    for (let at = 0; at < args.forMs; at += args.pingEveryMs) {
      timers.push(...spread(reservers, args.pingEveryMs, reserver => reserver.ping(), at))
    }
  }
  await new Promise(resolve => setTimeout(resolve, args.forMs))
  await Promise.all(timers.map(timer => timer.catch(() => {})))
  return { ...held(), refreshed: due.length }
}

/** Lets each do something, evenly over some time. */
function spread(
  all: readonly Reserver[],
  overMs: number,
  act: (reserver: Reserver) => Promise<void>,
  fromMs = 0,
): Promise<void>[] {
  return all.map(async (reserver, i) => {
    await new Promise(resolve => setTimeout(resolve, fromMs + (i * overMs) / all.length))
    await attempt(async () => act(reserver))
  })
}

async function attempt(act: () => Promise<void>): Promise<void> {
  try {
    await act()
  } catch (error) {
    const { message } = error as Error
    failures.set(message, (failures.get(message) ?? 0) + 1)
  }
}

/** How many connections are open, and what went wrong, by message. */
export interface Held {
  open: number
  refreshed?: number
  failures: Map<string, number>
}

function held(): Held {
  return { open: reservers.filter(({ hasEnded }) => !hasEnded).length, failures }
}

async function leave(): Promise<void> {
  for (const reserver of reservers) reserver.leave()
  reservers = []
  failures.clear()
}
