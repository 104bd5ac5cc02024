/**
 * Bounds on what a remote sends in a DCUtR exchange. `@libp2p/dcutr` bounds a message once its length is known, but reads any
 * number of bytes of that length, and decodes them anew for each that comes (see ../message-bounds.ts, and
 * test/network/upstream-faults.test.ts, which tells when it is mended).
 */

import { InvalidMessageError } from '@libp2p/interface'
import { watchForEndlessLength } from '../multistream-select/endless-length.ts'
import type { Stream, StreamMessageEvent } from '@libp2p/interface'

/** DCUtR.md: "Implementations SHOULD refuse ... messages larger than 4 KiB"; the length before each takes two bytes. */
const MAX_MESSAGE_BYTES = 4096 + 2

/** A CONNECT and a SYNC are all that one side sends, and this protocol's name before them. */
const MAX_MESSAGES = 3

/** Aborts a stream on which more comes than an exchange can hold. To be called before anybody reads from it. */
export function boundExchange(stream: Stream): void {
  const isEndless = watchForEndlessLength()
  let bytes = 0
  stream.addEventListener('message', (event: StreamMessageEvent) => {
    bytes += event.data.byteLength
    if (!isEndless(event.data) && bytes <= MAX_MESSAGES * MAX_MESSAGE_BYTES) return
    event.stopImmediatePropagation()
    stream.abort(new InvalidMessageError('More than an exchange can hold'))
  })
}
