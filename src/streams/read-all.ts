/** Reads a whole body of a remote that may send more than it should. */

/**
 * Reads until the end.
 *
 * @throws {RangeError} if there are more than `mostBytes`
 * @throws what the source throws
 */
export async function readAll(source: AsyncIterable<Uint8Array>, mostBytes: number): Promise<string> {
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const part of source) {
    bytes += part.byteLength
    if (bytes > mostBytes) throw new RangeError(`the answer is longer than ${mostBytes} bytes`)
    parts.push(part)
  }
  return Buffer.concat(parts).toString()
}
