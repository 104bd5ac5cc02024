/**
 * Handles the frames of a connection in turns with everything else.
 *
 * Fault of `@chainsafe/libp2p-yamux` 8.0.1: it handles all frames that have come in, one after the other
 * (muxer.ts, `onData`). libuv hands over up to 2 MiB of one socket in one turn of the event loop. If these are
 * frames that cost much, everyone else waits until the last of them.
 *
 * Its reader (decode.ts, `readFrame`) buffers a frame of any length up to 4 GiB before it looks at the window of
 * its stream. It keeps the pieces of such a frame as they came, which takes a hundred times the memory if they
 * are bytes. And it hands on each frame alone: 1 MiB of data in frames of a byte takes 20 times the processor
 * time of 1 MiB in one frame, and 80 times if it is sent on.
 *
 * Upstream issue: not reported.
 */

import { InvalidMessageError } from '@libp2p/interface'
import { shapeCheck } from '../expect-shape.ts'
import { StreamIntake } from '../libp2p-utils/stream-intake.ts'
import { FrameReader } from './frame-reader.ts'
import { Flag, FIRST_WINDOW_BYTES, FrameType } from './internals.ts'
import type { MessageStream, Stream } from '@libp2p/interface'
import type { Amendment } from './amend.ts'
import type { FrameBudgets } from './frame-budgets.ts'
import type { NewStreams } from '../../muxer/new-streams.ts'
import type { Frame, FrameHeader, Yamux, YamuxStream } from './internals.ts'

/**
 * The longest that the frames of one connection may take in one turn of the event loop, in milliseconds. Half of
 * it takes 2 % of the throughput, because the socket is paused more often.
 */
const TURN_MS = 6

/**
 * New streams of one connection in one turn. Most of what a stream costs comes after its frame: some 300 us
 * until its protocol is agreed and a handler has it.
 */
const STREAMS_PER_TURN = 8

const PACKAGE = '@chainsafe/libp2p-yamux'
const assertShape = shapeCheck(PACKAGE, {
  status: 'string',
  onData: 'function',
  handleFrame: 'function',
  handleStreamMessage: 'function',
  onRemoteStream: 'function',
})

/** What the turns need. */
export interface FrameTurnsInit {
  /** The largest window of a stream. */
  maxWindowBytes: number
  budgets: FrameBudgets
  newStreams: NewStreams
  streamOf: (id: number) => YamuxStream | undefined
}

/** Replaces the reader and its loop. */
export function handleInTurns(init: FrameTurnsInit): Amendment {
  return (muxer, connection) => {
    assertShape(muxer)
    const turns = new FrameTurns(muxer, connection, init)
    muxer.onData = data => turns.take(data)
    const onRemoteStream = muxer.onRemoteStream.bind(muxer)
    muxer.onRemoteStream = stream => {
      turns.noteStream()
      onRemoteStream(stream)
    }
  }
}

class FrameTurns {
  readonly #muxer: Yamux
  readonly #connection: MessageStream
  readonly #intake: StreamIntake
  readonly #reader: FrameReader
  readonly #newStreams: NewStreams
  #spentMs = 0
  #streams = 0
  #isSpent = false
  #isHeld = false
  #isCounting = false

  constructor(
    muxer: Yamux,
    connection: MessageStream,
    { maxWindowBytes, budgets, newStreams, streamOf }: FrameTurnsInit,
  ) {
    this.#muxer = muxer
    this.#connection = connection
    this.#newStreams = newStreams
    this.#intake = new StreamIntake(connection as MessageStream & Pick<Stream, 'readStatus'>)
    this.#reader = new FrameReader({
      onHeader: header => budgets.chargeFrame(header),
      onPartial: header => assertFits(header, streamOf(header.streamID), maxWindowBytes),
    })
  }

  noteStream(): void {
    this.#streams++
    this.#newStreams.charge()
    this.#isSpent = this.#newStreams.isSpent
  }

  take(data: Parameters<Yamux['onData']>[0]): void {
    this.#reader.push(data)
    if (!this.#isHeld) this.#work()
  }

  #work(): void {
    try {
      this.#handleFrames()
    } catch (error) {
      this.#connection.log.error('ended the session - %e', error)
      // without a reset for each stream, which this would be if the multiplexer was aborted first
      this.#connection.abort(error as Error)
    }
  }

  #handleFrames(): void {
    const startedAt = performance.now()
    for (;;) {
      if (this.#muxer.status === 'closed') return
      const frame = this.#reader.next()
      if (frame === undefined) break
      this.#handle(frame)
      const isOver = performance.now() - startedAt + this.#spentMs > TURN_MS
      if (isOver || this.#streams >= STREAMS_PER_TURN || this.#isSpent) {
        this.#wait()
        return
      }
    }
    this.#spentMs += performance.now() - startedAt
    if (this.#isCounting) return
    this.#isCounting = true
    setImmediate(() => {
      this.#isCounting = false
      this.#beginTurn()
    })
  }

  #handle(frame: Frame): void {
    const { streamID, type } = frame.header
    // without the trace of each frame that `handleFrame` writes
    if (streamID !== 0 && type <= FrameType.windowUpdate) this.#muxer.handleStreamMessage(frame)
    else this.#muxer.handleFrame(frame)
  }

  #beginTurn(): void {
    this.#spentMs = 0
    this.#streams = 0
  }

  #wait(): void {
    if (!this.#isHeld) this.#intake.hold()
    this.#isHeld = true
    const goOn = (): void => this.#goOn()
    if (this.#isSpent) this.#newStreams.wait({ goOn, isOver: () => this.#connection.status !== 'open' })
    else setImmediate(goOn)
    this.#isSpent = false
  }

  #goOn(): void {
    if (this.#connection.status !== 'open') return
    this.#beginTurn()
    this.#isHeld = false
    this.#work()
    if (!this.#isHeld) this.#intake.release()
  }
}

/** Asserts that the window of a stream has room for a frame that has begun. @throws {InvalidMessageError} */
function assertFits(
  { flag, length }: FrameHeader,
  stream: YamuxStream | undefined,
  maxWindowBytes: number,
): void {
  // what was on its way to a stream that is gone is passed over
  const unknown = (flag & Flag.syn) === 0 ? maxWindowBytes : FIRST_WINDOW_BYTES
  const bound = stream?.recvWindowCapacity ?? unknown
  if (length > bound)
    throw new InvalidMessageError(`A frame of ${length} bytes is longer than the window, ${bound}`)
}
