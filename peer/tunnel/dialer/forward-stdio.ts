/**
 * The dialing side of a tunnel for one connection over standard input and output, such as ssh's ProxyCommand.
 *
 * Invariant: `stdout` gets the bytes of the service and nothing else, and gets all of them before the end.
 */
import { AbortError } from '@libp2p/interface'
import { Duplex } from 'node:stream'
import type { Readable, Writable } from 'node:stream'
import { openService } from './open-service.ts'
import type { OpenServiceOptions, OpenStream } from './open-service.ts'
import type { ContinuityOptions } from '../resume/resumer.ts'
import { splice } from '../wire/splice.ts'
import type { Traffic } from '../wire/splice.ts'

export interface ForwardStdioInit
  extends ContinuityOptions,
    Pick<OpenServiceOptions, 'openMs' | 'credentials' | 'ticketExpiresAt'> {
  stdin: Readable
  /** It is not ended. Its owner ends it, or exits. */
  stdout: Writable
  openStream: OpenStream
  service: string
  /** Resets the connection. */
  signal?: AbortSignal
}

/**
 * How long bytes read from `stdin` may take to be sent after the remote side has ended, in milliseconds.
 * libp2p allows as much to close a connection (`CONNECTION_CLOSE_TIMEOUT`).
 */
const FLUSH_MS = 1000

/**
 * Forwards `stdin` to the remote peer's service, and its answer to `stdout`. The end of `stdin` ends that
 * direction only. Resolves with the byte counts when the remote side has ended, even if `stdin` is still
 * open, because nothing more can come back.
 *
 * @throws what `openService` throws, and the cause if the connection was cut
 */
export async function forwardStdio(init: ForwardStdioInit): Promise<Traffic> {
  const { openStream, service, signal } = init
  const traffic: Traffic = { bytesIn: 0, bytesOut: 0 }
  const cutting = new AbortController()
  const remoteEnd = new AbortError('The remote side has ended')
  let flushing: NodeJS.Timeout | undefined
  const duplex = new StdioDuplex(init.stdin, init.stdout, () => {
    flushing = setTimeout(() => cutting.abort(remoteEnd), FLUSH_MS)
  })
  // before the splice handles it, a broken pipe must end the opening
  duplex.on('error', error => cutting.abort(error))
  const onAbort = (): void => cutting.abort(signal?.reason)
  signal?.addEventListener('abort', onAbort)
  try {
    signal?.throwIfAborted()
    const stream = await openService(openStream, service, { ...init, signal: cutting.signal })
    return await splice(duplex, stream, { signal: cutting.signal, traffic })
  } catch (error) {
    if (error === remoteEnd) return traffic
    throw error
  } finally {
    clearTimeout(flushing)
    signal?.removeEventListener('abort', onAbort)
    duplex.destroy()
  }
}

/** Standard input and output as one duplex. Its readable side ends when its writable side does. */
class StdioDuplex extends Duplex {
  readonly #stdin: Readable
  readonly #stdout: Writable
  readonly #onRemoteEnd: () => void

  constructor(stdin: Readable, stdout: Writable, onRemoteEnd: () => void) {
    super()
    this.#stdin = stdin
    this.#stdout = stdout
    this.#onRemoteEnd = onRemoteEnd
    stdin.on('data', this.#onData)
    stdin.on('end', this.#onEnd)
    stdin.on('error', this.#onError)
    stdout.on('error', this.#onError)
    stdin.pause()
    if (stdin.readableEnded) this.#onEnd()
  }

  #onData = (chunk: Uint8Array): void => {
    if (!this.push(chunk)) this.#stdin.pause()
  }

  #onEnd = (): void => {
    this.push(null)
  }

  #onError = (error: Error): void => {
    this.destroy(error)
  }

  #leaveStdin(): void {
    this.#stdin.off('data', this.#onData)
    this.#stdin.off('end', this.#onEnd)
    this.#stdin.off('error', this.#onError)
    this.#stdin.pause()
  }

  override _read(): void {
    this.#stdin.resume()
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#stdout.write(chunk, done)
  }

  override _final(done: () => void): void {
    this.#leaveStdin()
    this.push(null)
    this.#onRemoteEnd()
    done()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#leaveStdin()
    // a failed write is reported to its callback first, and then as an event that would end the process
    // without a listener
    if (error === null) this.#stdout.off('error', this.#onError)
    done(error)
  }
}
