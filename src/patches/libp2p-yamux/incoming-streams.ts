/**
 * Makes a stream that the remote opens when it brings data, or a turn later if it is one of a few, and finds
 * streams by their id.
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

/**
 * Streams of a connection that are made although they have brought no data. The interface of a multiplexer
 * asks for that (@libp2p/interface-compliance-tests 7.0.16, "should open a stream"), and no implementation has
 * more than a few such streams at a time.
 */
const MAX_MADE_SILENT = 8

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
  /** Those that are made all the same: some in the next turn of the event loop, some are made already. */
  readonly #nextTurn = new Set<number>()
  readonly #madeSilent = new Set<number>()

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
      this.#madeSilent.delete(stream.streamId)
      // without a protocol libp2p closes no stream in order
      const isUnused = stream.direction === 'inbound' && stream.protocol === '' && stream.status !== 'closed'
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
    if (type === FrameType.data) {
      if (length > 0) this.#madeSilent.delete(id)
      stream.handleData(frame)
    } else {
      assertWindow(stream.sendWindowCapacity + length)
      stream.handleWindowUpdate(frame)
    }
  }

  /** Makes the stream that has been silent, if it brings data now. */
  #hasSpoken(muxer: Yamux, { header: { streamID: id, flag, type, length } }: Frame): boolean {
    let window = this.#silent.get(id) ?? 0
    if (type === FrameType.data && length > 0) {
      this.#make(muxer, id)
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

  #make(muxer: Yamux, id: number): void {
    const window = this.#silent.get(id) ?? 0
    this.#silent.delete(id)
    muxer.incomingStream(id)
    if (window > 0) this.#streams.get(id)?.handleWindowUpdate(windowUpdate(id, window))
  }

  /** Makes a stream if it is still silent when all that has come in is handled. */
  #makeNextTurn(muxer: Yamux, id: number): void {
    if (this.#madeSilent.size + this.#nextTurn.size >= MAX_MADE_SILENT) return
    if (this.#nextTurn.size === 0) setImmediate(() => this.#makeSilent(muxer))
    this.#nextTurn.add(id)
  }

  #makeSilent(muxer: Yamux): void {
    for (const id of this.#nextTurn) {
      if (muxer.status !== 'open' || !this.#silent.has(id)) continue
      this.#madeSilent.add(id)
      this.#make(muxer, id)
    }
    this.#nextTurn.clear()
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
    this.#makeNextTurn(muxer, id)
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
