/**
 * SSDP: finds the description of an internet gateway device in the LAN.
 *
 * Any host of the LAN can answer. So an answer counts only if it points to a server on the address that it
 * came from, and few hosts are followed. The gateway is also asked by unicast, because access points often
 * filter multicast.
 * Spec: UPnP Device Architecture 1.1, section 1.3.
 */

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { isIPv4 } from 'node:net'
import type { Network } from './mapper.ts'

/** UPnP Device Architecture 1.1, section 1.3.2. */
export const SSDP_ADDRESS = '239.255.255.250'
const SSDP_PORT = 1900

/**
 * By the same section, a gateway of version 2 also answers to version 1. Some answer to their own version
 * only.
 */
const SEARCH_TARGETS = [
  'urn:schemas-upnp-org:device:InternetGatewayDevice:1',
  'urn:schemas-upnp-org:device:InternetGatewayDevice:2',
]

/**
 * Section 1.3.2: questions may get lost, so they are sent more than once. MX, here 1 s, allows an answer to
 * be delayed.
 */
const QUESTIONS = 3
const QUESTION_INTERVAL_MS = 1_000

/**
 * Number of hosts whose answers are followed, once each, in addition to the default gateway. One device is
 * usual, and two on a LAN with two uplinks. Each costs a request.
 */
const MAX_HOSTS = 4

/** Longest answer, in bytes. Answers have a few hundred; one Ethernet frame is plenty. */
const MAX_ANSWER_BYTES = 1_500

/** Yields the URLs of descriptions as answers arrive, until `signal` fires. */
export async function* findDescriptions(
  { gateway, ownAddress }: Network,
  signal: AbortSignal,
): AsyncGenerator<URL, void, undefined> {
  const socket = createSocket('udp4')
  const told = new Set<string>()
  const waiting: URL[] = []
  let wake: () => void = () => {}
  const onAbort = (): void => wake()
  socket.on('error', () => {}) // without multicast there is no answer
  socket.on('message', (datagram, { address }) => {
    const location = readLocation(datagram, address)
    if (location === undefined || told.has(address)) return
    if (told.size >= MAX_HOSTS && address !== gateway) return
    told.add(address)
    waiting.push(location)
    wake()
  })
  let timer: NodeJS.Timeout | undefined
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    socket.bind(0, ownAddress)
    await once(socket, 'listening', { signal })
    // section 1.3.2 requires a unicast source port and a time to live of 2
    socket.setMulticastInterface(ownAddress)
    socket.setMulticastTTL(2)
    const send = (left: number): void => {
      for (const host of gateway === undefined ? [SSDP_ADDRESS] : [SSDP_ADDRESS, gateway])
        for (const target of SEARCH_TARGETS) socket.send(writeSearch(host, target), SSDP_PORT, host, () => {}) // an unsent question gets no answer
      if (left > 1) timer = setTimeout(send, QUESTION_INTERVAL_MS, left - 1)
    }
    send(QUESTIONS)
    while (!signal.aborted) {
      const next = waiting.shift()
      if (next !== undefined) yield next
      else await new Promise<void>(resolve => (wake = resolve))
    }
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', onAbort)
    socket.close()
  }
}

function writeSearch(host: string, target: string): string {
  return [
    'M-SEARCH * HTTP/1.1',
    `HOST: ${host}:${SSDP_PORT}`,
    'MAN: "ssdp:discover"',
    'MX: 1',
    `ST: ${target}`,
    '',
    '',
  ].join('\r\n')
}

/**
 * The URL of the description in an answer. `undefined` if the datagram is not an answer, or must not be
 * followed.
 */
export function readLocation(datagram: Uint8Array, sender: string): URL | undefined {
  if (datagram.length > MAX_ANSWER_BYTES) return undefined
  const [status = '', ...headers] = Buffer.from(datagram).toString('latin1').split('\r\n')
  if (!/^HTTP\/1\.[01] 200\b/.test(status)) return undefined
  const location = headers.find(it => /^location:/i.test(it))?.slice('location:'.length)
  return URL.canParse(location?.trim() ?? '') ? leadsTo(new URL(location!.trim()), sender) : undefined
}

function leadsTo(url: URL, sender: string): URL | undefined {
  const isPlain = url.protocol === 'http:' && url.username === '' && url.password === ''
  return isPlain && isIPv4(url.hostname) && url.hostname === sender ? url : undefined
}
