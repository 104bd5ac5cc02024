/**
 * Reads small messages at a cost that depends on their bytes, and not on how they are cut.
 *
 * Fault of `@chainsafe/libp2p-noise` 17.0.0: it passes each message on by itself (utils.ts,
 * `EncryptedMessageStream`), which takes longer than to decrypt a small one. Its decoder, of `@libp2p/utils` 7.4.1,
 * takes each out of a list of buffers, and keeps one that has not come in whole in the pieces in which it comes
 * (length-prefixed-decoder.ts). A message of 64 KiB in pieces of a byte takes 4 s in one turn of the event loop,
 * because `uint8arraylist` 3.0.2 moves all pieces for each that it takes out.
 *
 * Upstream issue: not reported.
 */

import { shapeCheck } from '../expect-shape.ts'
import { SmallPieces } from '../piece-joiner.ts'
import { patchSecured } from './secured.ts'
import type { ConnectionEncrypter } from '@libp2p/interface'
import type { Uint8ArrayList } from 'uint8arraylist'

/** Bytes of the length before a message (https://github.com/libp2p/specs/tree/master/noise, "Wire Format"). */
const LENGTH_BYTES = 2

/** Messages from this size on, in bytes, are passed on by themselves: joining would copy them. */
const LARGE_BYTES = 1024

type Bytes = Uint8Array | Uint8ArrayList

interface SecuredInternals {
  readonly decoder: {
    readonly buffer: Uint8ArrayList
    readonly lengthDecoder: (bytes: Bytes) => number
    decode: (data: Bytes) => Iterable<Bytes>
  }
  onData: (data: Bytes) => void
}

const assertShape = shapeCheck('@chainsafe/libp2p-noise', {
  'decoder.buffer': 'object',
  'decoder.decode': 'function',
  'decoder.lengthDecoder': 'function',
  onData: 'function',
})

/**
 * Patches an encrypter. Its connections reject with `UpstreamChangedError` too.
 *
 * @throws {UpstreamChangedError}
 */
export function joinSmallMessages(encrypter: ConnectionEncrypter): void {
  patchSecured(encrypter, connection => {
    assertShape(connection)
    joinMessages(connection as SecuredInternals)
  })
}

function joinMessages(connection: SecuredInternals): void {
  const { decoder } = connection
  const onData = connection.onData.bind(connection)
  const decode = decoder.decode.bind(decoder)
  const pieces = new SmallPieces()
  let small: Uint8Array[] = []
  const passOn = (): void => {
    const [first, ...others] = small
    small = []
    if (first !== undefined) onData(others.length === 0 ? first : Buffer.concat([first, ...others]))
  }
  connection.onData = data => {
    if (data.byteLength < LARGE_BYTES) return void small.push(data.subarray())
    passOn()
    onData(data)
  }
  decoder.decode = function* (data) {
    try {
      const rest = decoder.buffer.byteLength === 0 ? yield* wholeMessages(data, decoder) : data
      if (rest === undefined) return
      yield* decode(rest)
      pieces.note(rest, decoder.buffer)
    } finally {
      // also after a message that ends the connection
      passOn()
    }
  }
}

/** Takes the whole messages from the beginning of one buffer. Returns what is left. */
function* wholeMessages(
  data: Bytes,
  { lengthDecoder }: Pick<SecuredInternals['decoder'], 'lengthDecoder'>,
): Generator<Uint8Array, Bytes | undefined> {
  const bytes = data instanceof Uint8Array ? data : onlyPartOf(data)
  if (bytes === undefined) return data
  let at = 0
  while (at + LENGTH_BYTES <= bytes.byteLength) {
    const end = at + LENGTH_BYTES + ((bytes[at]! << 8) | bytes[at + 1]!)
    if (end > bytes.byteLength) break
    lengthDecoder(bytes.subarray(at, at + LENGTH_BYTES))
    if (end > at + LENGTH_BYTES) yield bytes.subarray(at + LENGTH_BYTES, end)
    at = end
  }
  return at === bytes.byteLength ? undefined : bytes.subarray(at)
}

function onlyPartOf(list: Uint8ArrayList): Uint8Array | undefined {
  const parts = [...list]
  return parts.length === 1 ? parts[0] : undefined
}
