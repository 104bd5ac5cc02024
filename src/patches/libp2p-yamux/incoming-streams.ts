/**
 * Makes a stream that the remote opens when it brings data, and finds streams by their id.
 *
 * Fault of `@chainsafe/libp2p-yamux` 8.0.1: it makes a stream for each frame that opens one (muxer.ts,
 * `incomingStream`), which takes 80 us until it has failed: a stream that brings no data is of no use, since
 * the side that opens it begins the negotiation (multistream-select). It answers each stream beyond the limit,
 * and looks through all streams for that of a frame, more than once.
 *
 * Upstream issue: not reported.
 */

import { InvalidMessageError } from '@libp2p/interface'
import { shapeCheck } from '../expect-shape.ts'
import { ENDS, FIRST_WINDOW_BYTES, Flag, FrameType } from './internals.ts'
import type { MessageStream } from '@libp2p/interface'
import type { Amendment } from './amend.ts'
import type { FrameBudgets } from './frame-budgets.ts'
import type { Frame, Yamux, YamuxStream } from './internals.ts'

/** The largest window, in bytes: as much as a header can announce. */
const LARGEST_WINDOW_BYTES = 0xffff_ffff

const PACKAGE = '@chainsafe/libp2p-yamux'
const assertShape = shapeCheck(PACKAGE, {
  client: 'boolean',
  numInboundStreams: 'number',
  maxInboundStreams: 'number',
  handleStreamMessage: 'function',
  incomingStream: 'function',
  sendFrame: 'function',
  _newStream: 'function',
})
const assertStreamShape = shapeCheck(PACKAGE, {
  streamId: 'number',
  sendWindowCapacity: 'number',
  handleData: 'function',
  handleWindowUpdate: 'function',
})

/** The streams of one multiplexer. */
export class IncomingStreams {
  readonly #budgets: FrameBudgets
  readonly #streams = new Map<number, YamuxStream>()
  /** Streams that have brought no data: how much their windows have grown, in bytes. */
  readonly #silent = new Map<number, number>()

  constructor(budgets: FrameBudgets) {
    this.#budgets = budgets
  }

  get(id: number): YamuxStream | undefined {
    return this.#streams.get(id)
  }

  /** The amendment. */
  readonly amend: Amendment = (muxer, connection) => {
    assertShape(muxer)
    const create = muxer._newStream.bind(muxer)
    muxer._newStream = (...args) => {
      const stream = create(...args)
      assertStreamShape(stream)
      this.#add(stream, connection)
      return stream
    }
    muxer.handleStreamMessage = frame => this.#handle(muxer, frame)
  }

  #add(stream: YamuxStream, connection: MessageStream): void {
    this.#streams.set(stream.streamId, stream)
    stream.addEventListener('close', () => {
      this.#streams.delete(stream.streamId)
      const isUnused = stream.direction === 'inbound' && stream.protocol === ''
      if (!isUnused || connection.status !== 'open') return
      try {
        this.#budgets.charge('unused')
      } catch (error) {
        connection.abort(error as Error)
      }
    })
  }

  #handle(muxer: Yamux, frame: Frame): void {
    const { streamID: id, flag, type, length } = frame.header
    if ((flag & Flag.syn) !== 0 && !this.#begin(muxer, id)) return
    if (this.#silent.has(id) && !this.#hasSpoken(muxer, frame)) return
    const stream = this.#streams.get(id)
    if (stream === undefined) return
    if (type === FrameType.data) stream.handleData(frame)
    else {
      assertWindow(stream.sendWindowCapacity + length)
      stream.handleWindowUpdate(frame)
    }
  }

  /** Makes the stream that has been silent, if it brings data now. */
  #hasSpoken(muxer: Yamux, { header: { streamID: id, flag, type, length } }: Frame): boolean {
    let window = this.#silent.get(id) ?? 0
    if (type === FrameType.data && length > 0) {
      this.#silent.delete(id)
      muxer.incomingStream(id)
      if (window > 0) this.#streams.get(id)?.handleWindowUpdate(windowUpdate(id, window))
      return true
    }
    if (type === FrameType.windowUpdate) window += length
    assertWindow(FIRST_WINDOW_BYTES + window)
    if ((flag & ENDS) === 0) {
      this.#silent.set(id, window)
      return false
    }
    this.#silent.delete(id)
    this.#budgets.charge('unused')
    // the other side has nothing to say, and waits for nothing but the end of this one
    if ((flag & Flag.rst) === 0) reset(muxer, id)
    return false
  }

  /** False if there is no more to do for a frame that opens a stream. */
  #begin(muxer: Yamux, id: number): boolean {
    if (muxer.client !== (id % 2 === 0)) throw new InvalidMessageError('Both endpoints are clients')
    if (this.#streams.has(id) || this.#silent.has(id)) {
      this.#budgets.charge('idle')
      return true
    }
    if (
      muxer.localGoAway !== undefined ||
      muxer.numInboundStreams + this.#silent.size >= muxer.maxInboundStreams
    ) {
      this.#budgets.charge('refused')
      reset(muxer, id)
      return false
    }
    this.#silent.set(id, 0)
    return true
  }
}

function reset(muxer: Yamux, streamID: number): void {
  muxer.sendFrame({ type: FrameType.windowUpdate, flag: Flag.rst, streamID, length: 0 })
}

function windowUpdate(streamID: number, length: number): Frame {
  return { header: { type: FrameType.windowUpdate, flag: 0, streamID, length } }
}

function assertWindow(bytes: number): void {
  if (bytes > LARGEST_WINDOW_BYTES) throw new InvalidMessageError(`A window has grown to ${bytes} bytes`)
}
