/**
 * One question to a gateway and its answer, as one UDP datagram each. Unanswered questions are sent again.
 *
 * The socket is connected, so the kernel drops datagrams from other hosts, and reports when the gateway's
 * port is closed.
 */

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { isIPv6 } from 'node:net'
import type { Socket } from 'node:dgram'

/** The UDP port of NAT-PMP (RFC 6886 section 1.1) and PCP (RFC 6887 section 19.2). */
const GATEWAY_PORT = 5351

/**
 * RFC 6886 section 3.1: the first wait for an answer is 250 ms, and each further one twice as long. The RFC
 * continues for a minute. This stops 7.75 s after the first of five questions, because the caller tries again
 * later.
 */
const FIRST_WAIT_MS = 250
const MAX_QUESTIONS = 5

export interface Question<Answer> {
  readonly gateway: string
  /** @default GATEWAY_PORT */
  readonly port?: number
  /** Writes the question. `ownAddress` is the address that it is sent from. */
  write(ownAddress: string): Uint8Array
  /**
   * Reads an answer. Returns `undefined` to ignore a datagram that does not answer this question. An error
   * that it throws rejects the whole question.
   */
  read(datagram: Uint8Array): Answer | undefined
}

/**
 * Asks the question. Resolves with the answer.
 *
 * @throws if no answer arrives, the port is closed, `read` throws, or `signal` fires
 */
export async function ask<Answer>(question: Question<Answer>, signal: AbortSignal): Promise<Answer> {
  signal.throwIfAborted()
  const socket = createSocket('udp4')
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const onAbort = (): void => reject(signal.reason as Error)
  let timer: NodeJS.Timeout | undefined
  signal.addEventListener('abort', onAbort, { once: true })
  // stays until the end: an error event without a listener would end the process
  socket.on('error', reject)
  socket.on('message', datagram => {
    try {
      const answer = question.read(datagram)
      if (answer !== undefined) resolve(answer)
    } catch (error) {
      reject(error as Error)
    }
  })
  try {
    socket.connect(question.port ?? GATEWAY_PORT, question.gateway)
    await Promise.race([once(socket, 'connect'), promise])
    const datagram = question.write(socket.address().address)
    const send = (waitMs: number, left: number): void => {
      if (left === 0) return reject(new Error(`${question.gateway} does not answer`))
      socket.send(datagram, error => error !== null && reject(error))
      timer = setTimeout(send, waitMs, waitMs * 2, left - 1)
    }
    send(FIRST_WAIT_MS, MAX_QUESTIONS)
    return await promise
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', onAbort)
    promise.catch(() => {})
    close(socket)
  }
}

/** The address that this host would send from to another host. It sends nothing. */
export async function ownAddressTowards(host: string, port: number = GATEWAY_PORT): Promise<string> {
  const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4')
  try {
    socket.connect(port, host)
    await once(socket, 'connect')
    return socket.address().address
  } finally {
    close(socket)
  }
}

function close(socket: Socket): void {
  socket.on('error', () => {})
  socket.close()
}
