/**
 * Bounds the lines that remotes can cause by asking again and again: refusals, and refreshes of a reservation.
 *
 * Of each kind (event, reason, and the network or peer that caused it) a few are written in 10 s. The others are counted, and
 * their number is written once, with the fields of the last one and a field `count`. The memory is bounded: beyond a number
 * of kinds, all causes of an event count as one.
 */

import { isMultiaddr } from '@multiformats/multiaddr'
import { networkOf } from '../../limits/ip-network.ts'

/** For how long events are counted, in milliseconds. */
const WINDOW_MS = 10_000

/** How many events of one kind are written in that time. */
const LINES_PER_KIND = 5

/** Kinds with a cause of their own. */
const MAX_KINDS = 64

/** An event: its fields, and a sentence for people. */
export type WriteEvent = (
  name: string,
  fields: Readonly<Record<string, unknown>>,
  human: string | undefined,
) => void

interface Kind {
  written: number
  /** Events that were not written. */
  count: number
  last?: Parameters<WriteEvent>
}

export class RepeatedEvents {
  readonly #write: WriteEvent
  readonly #kinds = new Map<string, Kind>()
  #timer: NodeJS.Timeout | undefined

  constructor(write: WriteEvent) {
    this.#write = write
  }

  /** Writes an event, or counts it. */
  write: WriteEvent = (name, fields, human) => {
    if (!isRepeatable(name, fields)) return this.#write(name, fields, human)
    const kind = this.#kindOf(name, fields)
    if (kind.written < LINES_PER_KIND) {
      kind.written++
      return this.#write(name, fields, human)
    }
    kind.count++
    kind.last = [name, fields, human]
  }

  /** Writes what was counted, and starts to count again. */
  flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const kinds = [...this.#kinds.values()]
    this.#kinds.clear()
    for (const { count, last } of kinds) {
      if (last === undefined) continue
      const [name, fields, human] = last
      if (count === 1) this.#write(name, fields, human)
      else this.#write(name, { ...fields, count }, human && `${human} (one of ${count} within 10 s)`)
    }
  }

  #kindOf(name: string, fields: Readonly<Record<string, unknown>>): Kind {
    this.#timer ??= setTimeout(() => this.flush(), WINDOW_MS).unref()
    const event = `${name} ${String(fields['reason'])}`
    const ofCause = `${event} ${causeOf(fields)}`
    const key = this.#kinds.has(ofCause) || this.#kinds.size < MAX_KINDS ? ofCause : event
    const kind = this.#kinds.get(key) ?? { written: 0, count: 0 }
    this.#kinds.set(key, kind)
    return kind
  }
}

function isRepeatable(name: string, fields: Readonly<Record<string, unknown>>): boolean {
  return name.endsWith(':refused') || fields['isRefresh'] === true
}

/** The network of the remote, or its peer id where the event has no address. */
function causeOf({ remoteAddr, peerId }: Readonly<Record<string, unknown>>): string {
  return isMultiaddr(remoteAddr) ? networkOf(remoteAddr).key : String(peerId)
}
