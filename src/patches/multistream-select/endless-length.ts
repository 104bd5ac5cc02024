/**
 * Ends every stream that sends a length without an end while a protocol is negotiated.
 *
 * Fault of `@libp2p/utils` 7.4.1: `lpStream`, by which multistream-select reads, takes any number of bytes of
 * a length and decodes all of them again, with an exception, for each that comes (stream-utils.ts; see
 * src/protocols/message-bounds.ts). A stranger who sends 50 kB of 0x80 a second stops the process for
 * everyone. multistream-select is spoken on a socket before encryption, before multiplexing, and on each
 * stream, and none of them can be given bounds. So the patch looks at their bytes on the way in, as long as
 * they are a negotiation: text, and at the end perhaps the first bytes of what was negotiated, in which such
 * a run does not occur by chance.
 *
 * Upstream issue: not reported.
 */

import { shapeCheck } from '../expect-shape.ts'
import { InvalidMessageError } from '@libp2p/interface'
import type { ConnectionEncrypter, MessageStream } from '@libp2p/interface'
import type { Uint8ArrayList } from 'uint8arraylist'
import type { Amendment } from '../libp2p-yamux/amend.ts'

/**
 * Bytes with the highest bit set, in a row, that are too many. A length takes nine at the most; of random
 * bytes so many in a row are one in 2^64.
 */
const LONGEST_RUN = 64

/** What is behind the interface: data comes in by this method. */
interface Incoming extends MessageStream {
  onData(data: Uint8Array | Uint8ArrayList): void
}

const assertShape = shapeCheck('@libp2p/utils', { onData: 'function' })
const assertMuxerShape = shapeCheck('@libp2p/utils', { onRemoteStream: 'function' })

/**
 * Looks at what comes in until {@link unguard}; for a stream, until it has its protocol.
 *
 * @throws {UpstreamChangedError}
 */
export function guard(stream: MessageStream): void {
  assertShape(stream)
  const incoming = stream as Incoming
  const onData = incoming.onData.bind(stream)
  const isEndless = watchForEndlessLength()
  incoming.onData = data => {
    if (hasProtocol(stream)) {
      unguard(stream)
      return onData(data)
    }
    if (isEndless(data)) stream.abort(new InvalidMessageError('A length has no end'))
    else onData(data)
  }
}

/**
 * Returns what tells, of each piece of data after the others, whether there is a length without an end in it.
 */
function watchForEndlessLength(): (data: Uint8Array | Uint8ArrayList) => boolean {
  let run = 0
  return data => {
    run = runAfter(run, data)
    return run > LONGEST_RUN
  }
}

/** Looks no more: the negotiation is over. */
export function unguard(stream: MessageStream): void {
  // the method of the class is behind it
  if (Object.hasOwn(stream, 'onData')) delete (stream as Partial<Incoming>).onData
}

/** Guards what is negotiated over the encrypted connection. */
export function guardedEncrypter<Components>(
  create: (components: Components) => ConnectionEncrypter,
): (components: Components) => ConnectionEncrypter {
  return components => {
    const encrypter = create(components)
    for (const method of ['secureInbound', 'secureOutbound'] as const) {
      const secure = encrypter[method].bind(encrypter)
      encrypter[method] = async (connection, options) => {
        unguard(connection)
        const secured = await secure(connection, options)
        guard(secured.connection)
        return secured
      }
    }
    return encrypter
  }
}

/** Guards what is negotiated on the streams that the remote opens, and no longer what comes before them. */
export const guardStreams: Amendment = (muxer, connection) => {
  assertMuxerShape(muxer)
  unguard(connection)
  const onRemoteStream = muxer.onRemoteStream.bind(muxer)
  muxer.onRemoteStream = stream => {
    guard(stream)
    onRemoteStream(stream)
  }
}

function hasProtocol(stream: MessageStream): boolean {
  return 'protocol' in stream && stream.protocol !== ''
}

/** The longest run that ends in this data, or that was too long on the way. */
function runAfter(before: number, data: Uint8Array | Uint8ArrayList): number {
  let run = before
  for (const part of data instanceof Uint8Array ? [data] : data) {
    for (const byte of part) {
      run = byte < 0x80 ? 0 : run + 1
      if (run > LONGEST_RUN) return run
    }
  }
  return run
}
