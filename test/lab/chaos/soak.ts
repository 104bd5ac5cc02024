/**
 * Faults one after the other, in random order. After each, a new connection has to work soon, and a transfer that the
 * fault interrupted has to end whole.
 */

import { setTimeout as pause } from 'node:timers/promises'
import { faultKinds, faults } from './faults.ts'
import { LOCAL_PORT, keepEvidence } from './world.ts'
import { inTime, until } from '../../waits.ts'
import type { Fault, FaultKind, Random } from './faults.ts'
import type { World } from './world.ts'

/** How soon a new connection has to work, in milliseconds. */
const WORKS_WITHIN_MS = 15_000

/** Several packets each way, which find a path that loses large ones. */
const CONNECTION_BYTES = 65_536

/** A transfer lasts 4 s without a fault: from before the fault until after most of them. */
const TRANSFER = { bytes: 4 * 1024 * 1024, pauseMs: 62 } as const

/** How much of the transfer has passed when the fault begins, in milliseconds. */
const FAULT_AFTER_MS = 500

/** How long a transfer may take after its fault has been healed, in milliseconds. */
const TRANSFER_ENDS_WITHIN_MS = 60_000

/** How soon the service is reachable through both relays after the fault has been healed, in milliseconds. */
const RESERVED_WITHIN_MS = 45_000

/** How long a fault may take to begin or to heal: it starts and stops programs, or pauses for up to 8 s. */
const FAULT_LIMIT_MS = 45_000

/** Where evidence of failures is kept, below the directory that the soak is run from. */
const EVIDENCE = 'test-results/lab/chaos'

export interface SoakInit {
  /** Faults come until so much time has passed, in milliseconds, and at least one of each kind. */
  durationMs: number
  /** From one fault to the next, in milliseconds, or longer if the fault takes longer. */
  everyMs: number
  seed: number
  kinds?: readonly FaultKind[]
  /** Receives a line for each fault. */
  log?: (line: string) => void
}

export interface FaultResult {
  kind: FaultKind
  /** From the fault, or from its end if it stops a program, until a new connection worked, in milliseconds. */
  worksAfterMs?: number
  /** From the end of the fault until the peer with the service held a reservation at both relays, in milliseconds. */
  reservedAfterMs?: number
  /** The path after all of it. */
  path: string
  residentBytes: { listen: number; forward: number }
  failures: string[]
}

/** Lets faults happen, and resolves with what came of each. A failure does not end the soak. */
export async function soak(world: World, init: SoakInit): Promise<FaultResult[]> {
  const { durationMs, everyMs, seed, kinds = faultKinds, log = () => {} } = init
  const random = createRandom(seed)
  const results: FaultResult[] = []
  const startedAt = performance.now()
  await connectNow(world)
  while (results.length === 0 || performance.now() - startedAt < durationMs)
    for (const kind of shuffled(kinds, random)) {
      const next = performance.now() + everyMs
      const result = await runFault(world, kind, random)
      results.push(result)
      log(describe(result, performance.now() - startedAt))
      if (result.failures.length > 0)
        await keepEvidence(world, `${EVIDENCE}/${results.length} ${kind}`.replaceAll(/[^\w./-]+/g, '-'))
      if (hasEnded(world)) return results
      await pause(Math.max(0, next - performance.now()))
    }
  return results
}

async function runFault(world: World, kind: FaultKind, random: Random): Promise<FaultResult> {
  const failures: string[] = []
  const attempt = async <T>(what: string, work: Promise<T>, limitMs: number): Promise<T | undefined> => {
    try {
      return await inTime(work, `${kind}: ${what}`, limitMs)
    } catch (error) {
      failures.push(`${what}: ${(error as Error).message}`)
      return undefined
    }
  }
  const transferLimitMs = 2 * FAULT_LIMIT_MS + WORKS_WITHIN_MS + TRANSFER_ENDS_WITHIN_MS
  const transfer = world.client.do('transfer', { port: LOCAL_PORT, ...TRANSFER }, transferLimitMs)
  transfer.catch(() => {}) // awaited below
  // the fault comes while the transfer runs
  await pause(FAULT_AFTER_MS)

  const fault: Fault = faults[kind]
  await attempt('the fault', fault.begin(world, random), FAULT_LIMIT_MS)
  const connection = await attempt('a new connection', connectNow(world), WORKS_WITHIN_MS + 5_000)
  if (fault.heal !== undefined) await attempt('the end of the fault', fault.heal(world), FAULT_LIMIT_MS)
  const reserved = attempt('a reservation at each relay', reservedAgain(world), RESERVED_WITHIN_MS + 5_000)
  await attempt('the running transfer', transfer, TRANSFER_ENDS_WITHIN_MS)
  const reservedAfterMs = await reserved
  for (const [name, { end, stderr }] of commandsOf(world))
    if (end !== undefined) failures.push(`${name} ended with ${end}: ${stderr.slice(-2_000)}`)
  return {
    kind,
    ...(connection === undefined ? {} : { worksAfterMs: connection.elapsedMs }),
    ...(reservedAfterMs === undefined ? {} : { reservedAfterMs }),
    path: pathOf(world),
    residentBytes: { listen: residentBytes(world, 'listen'), forward: residentBytes(world, 'forward') },
    failures,
  }
}

async function connectNow({ client }: World): Promise<{ elapsedMs: number }> {
  return client.do('reach', { port: LOCAL_PORT, bytes: CONNECTION_BYTES }, WORKS_WITHIN_MS)
}

/** Resolves with how long it took until the peer with the service held a reservation at both relays. */
async function reservedAgain({ listen, relays }: World): Promise<number> {
  const startedAt = performance.now()
  const stateAt = (relay: string): unknown =>
    listen.events.findLast(it => it.event === 'relay:state' && it['relay'] === relay)?.['state']
  const states = (): unknown[] => relays.map(({ peerId }) => stateAt(peerId))
  try {
    await until(() => states().every(it => it === 'held'), 'both are held', RESERVED_WITHIN_MS)
  } catch (error) {
    throw new Error(`The reservations are ${states().join(' and ')}`, { cause: error })
  }
  return performance.now() - startedAt
}

function commandsOf({ listen, forward }: World) {
  return Object.entries({ listen, forward })
}

function hasEnded(world: World): boolean {
  return commandsOf(world).some(([, { end }]) => end !== undefined)
}

function residentBytes(world: World, name: 'listen' | 'forward'): number {
  return world[name].end === undefined ? world[name].residentBytes : Number.NaN
}

/** The path of the peer that forwards, by its last event that tells it. */
function pathOf({ forward }: World): string {
  const last = forward.events.findLast(({ event }) => event === 'path:changed' || event === 'peer:connected')
  return (last?.['path'] as string | undefined) ?? 'none'
}

function describe(result: FaultResult, atMs: number): string {
  const { kind, worksAfterMs, reservedAfterMs = Number.NaN, path, residentBytes, failures } = result
  const mib = Object.values(residentBytes).map(bytes => (bytes / 1024 / 1024).toFixed(0))
  const works = worksAfterMs === undefined ? 'does not work' : `works after ${Math.round(worksAfterMs)} ms`
  const line = `${(atMs / 1000).toFixed(0)} s: ${kind}: ${works}, reserved after ${Math.round(reservedAfterMs)} ms, ${path}, ${mib.join(' and ')} MiB`
  return [line, ...failures.map(it => `  FAILED ${it}`)].join('\n')
}

/** A generator of random numbers that takes a seed: mulberry32. */
function createRandom(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  const result = [...items]
  for (let n = result.length - 1; n > 0; n--) {
    const other = Math.floor(random() * (n + 1))
    ;[result[n], result[other]] = [result[other]!, result[n]!]
  }
  return result
}
