/** Reads files that people name. A pipe has no size, and a device such as /dev/zero has no end. */

import { open } from 'node:fs/promises'

/** How much is read at a time, in bytes. */
const PIECE_BYTES = 64 * 1024

/**
 * Reads a whole file.
 *
 * @throws {RangeError} if it has more than `mostBytes`
 * @throws what the system says (ENOENT, EACCES, EISDIR, ...)
 */
export async function readWithin(path: string, mostBytes: number): Promise<Buffer> {
  await using file = await open(path)
  const pieces: Buffer[] = []
  for (let length = 0; length <= mostBytes; ) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(PIECE_BYTES))
    if (bytesRead === 0) return Buffer.concat(pieces)
    length += bytesRead
    pieces.push(buffer.subarray(0, bytesRead))
  }
  throw new RangeError(`the file is too large; ${mostBytes / 1024} KiB are the most that is read`)
}
