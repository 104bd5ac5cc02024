/**
 * SSDP: asks the LAN where the description of an internet gateway device is.
 *
 * Anyone in the LAN can answer. So an answer counts only if it points to a server on the very address that it came
 * from, and few are read. The gateway is also asked by unicast, since access points often filter multicast.
 * Spec: UPnP Device Architecture 1.1, section 1.3.
 */

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { isIPv4 } from 'node:net'
import type { Network } from './mapper.ts'

/** UPnP Device Architecture 1.1, section 1.3.2. */
export const SSDP_ADDRESS = '239.255.255.250'
const SSDP_PORT = 1900

/** A gateway of version 2 answers to version 1 as well, by the same section; some answer to their own one only. */
const SEARCH_TARGETS = [
  'urn:schemas-upnp-org:device:InternetGatewayDevice:1',
  'urn:schemas-upnp-org:device:InternetGatewayDevice:2',
]

/** Section 1.3.2: questions get lost, so they are sent more than once. An answer may be delayed by MX, a second. */
const QUESTIONS = 3
const QUESTION_INTERVAL_MS = 1_000

/**
 * From how many hosts an answer is followed, once each, beside the default gateway. One device is usual; two, on a LAN
 * with two uplinks. Each costs a request.
 */
const MAX_HOSTS = 4

/** Answers are a few hundred bytes; one Ethernet frame is generous. */
const MAX_ANSWER_BYTES = 1_500

/** Yields addresses of descriptions as they are told, until `signal` fires. */
export async function* findDescriptions(
  { gateway, ownAddress }: Network,
  signal: AbortSignal,
): AsyncGenerator<URL, void, undefined> {
  const socket = createSocket('udp4')
  const told = new Set<string>()
  const waiting: URL[] = []
  let wake: () => void = () => {}
  const onAbort = (): void => wake()
  socket.on('error', () => {}) // a network that takes no multicast is one without an answer
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
    // section 1.3.2 wants the source port unicast and the time to live to be 2
    socket.setMulticastInterface(ownAddress)
    socket.setMulticastTTL(2)
    const send = (left: number): void => {
      for (const host of gateway === undefined ? [SSDP_ADDRESS] : [SSDP_ADDRESS, gateway])
        for (const target of SEARCH_TARGETS) socket.send(writeSearch(host, target), SSDP_PORT, host, () => {}) // not getting out is no answer
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

/** Where an answer says that the description is; `undefined` for what is no answer that may be followed. */
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
