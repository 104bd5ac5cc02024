/** What `throughnat-relay` does: runs a relay until a signal stops it. */

import { once } from 'node:events'
import prettyBytes from 'pretty-bytes'
import prettyMs from 'pretty-ms'
import { warnAboutClock } from '../../src/cli/runtime/wrong-clock.ts'
import { limitOptions } from '../limits/options.ts'
import { admissionRulesOf } from '../admission/options.ts'
import { ConfiguredAdmission } from '../admission/configured-admission.ts'
import { generatedTokenFile } from '../admission/generated-token.ts'
import { privacyWarning } from '../../src/files/private-file.ts'
import { printValue } from '../../src/config/kinds/kind.ts'
import { startStatus } from '../status/options.ts'
import { createRelay } from '../relay.ts'
import { quietLogger } from '../../src/patches/libp2p/quiet-logger.ts'
import type { Output } from '../../src/cli/output/output.ts'
import type { Resolved } from '../../src/config/options.ts'
import type { Relay, RelayInit } from '../relay.ts'
import type { RelayEvents } from '../events.ts'
import type { Limits } from '../limits/limits.ts'
import type { relayOptions, RunRelay } from './relay.ts'

const size = (bytes: number): string => prettyBytes(bytes, { binary: true })

type Sentence<Name extends keyof RelayEvents> = (detail: RelayEvents[Name]['detail']) => string

/** The events that are printed. `request:answered` only feeds the metrics. */
type PrintedEvents = Omit<RelayEvents, 'request:answered'>

const listOf = (addrs: readonly unknown[]): string => addrs.map(addr => `\n  ${String(addr)}`).join('')

const sentences: { [Name in keyof PrintedEvents]: Sentence<Name> } = {
  'addresses:changed': ({ addrs }) =>
    `The addresses of this relay have changed. They are now${listOf(addrs)}`,
  'certificate:renewed': () => 'The certificate was renewed.',
  'certificate:failed': ({ reason }) => `${reason} The relay keeps the certificate that it has.`,
  'reservation:granted': ({ peerId, expiresAt, isRefresh }) =>
    `${isRefresh ? 'Refreshed the reservation of' : 'Reservation for'} ${peerId} until ${expiresAt.toISOString()}`,
  'reservation:refused': ({ peerId, remoteAddr, reason, rule }) =>
    `Refused a reservation to ${peerId} at ${remoteAddr}: ${rule ?? reason}`,
  'reservation:ended': ({ peerId, reason }) => `Reservation of ${peerId} ended: ${reason}`,
  'circuit:opened': ({ initiator, responder }) => `Circuit from ${initiator} to ${responder}`,
  'circuit:refused': ({ initiator, responder, reason, rule }) =>
    `Refused a circuit from ${initiator} to ${responder}: ${rule ?? reason}`,
  'circuit:closed': ({ initiator, responder, reason, bytesToInitiator, bytesToResponder, durationMs }) =>
    `Circuit from ${initiator} to ${responder} ${reason}: ${size(bytesToResponder)} there, ` +
    `${size(bytesToInitiator)} back, in ${prettyMs(durationMs)}`,
}

/** Runs the relay until `context.signal` fires. */
export const runRelay: RunRelay = async (config, { output, signal, stoppedBy, onReload }) => {
  const tokenFile = await tokenFileOf(config)
  const warn = (text: string): void => output.note(text)
  const admission = new ConfiguredAdmission(await admissionRulesOf({ ...config, tokenFile }, warn))
  await using relay = await createRelay(initOf(config, admission), { signal })
  await warnOfKey(config, warn)
  relay.addEventListener('certificate:renewed', () => void warnOfKey(config, warn))
  const status = await startStatus(relay, config.status)
  onReload(async renewed => {
    const rules = await admissionRulesOf({ ...renewed, tokenFile: await tokenFileOf(renewed) }, warn)
    await relay.reloadCertificate()
    await warnOfKey(config, warn)
    admission.replace(rules)
    output.event('config:reloaded', {}, 'Reloaded the admission rules and the certificate.')
  })
  for (const name of Object.keys(sentences) as Array<keyof PrintedEvents>) report(relay, output, name)
  output.event(
    'relay:ready',
    {
      peerId: relay.peerId,
      addrs: relay.addrs,
      ...(relay.missingAddrs.length === 0 ? {} : { missingAddrs: relay.missingAddrs }),
      ...(status === undefined ? {} : { status: status.url }),
    },
    `Relay ${relay.peerId} is ready at`,
  )
  for (const addr of relay.addrs) if (!output.json) output.text(`  ${addr}\n`)
  for (const addr of relay.missingAddrs)
    output.note(
      `This host does not have the address in ${addr} yet. The relay will listen on it as soon as it has.`,
    )
  if (status !== undefined) output.note(`The status page is at ${status.url}`)
  const note = noteOf(config, relay, tokenFile)
  if (note !== undefined) output.note(note)
  warnAboutClock(output, 'Peers of other libp2p implementations do not accept its reservations.')
  try {
    if (!signal.aborted) await once(signal, 'abort')
    // SIGINT (Ctrl-C at a terminal) stops the relay without draining
    if (stoppedBy() === 'SIGTERM') await drain(relay, config.drainMs, output)
  } finally {
    status?.stop()
  }
}

type Config = Resolved<typeof relayOptions>

function initOf(config: Config, admission: ConfiguredAdmission): RelayInit {
  const { listen, announce, ...rest } = config
  const logger = quietLogger()
  const addrs = { listen: listen.map(String), announce: announce.map(String) }
  return { ...rest, ...addrs, admission, ...(logger === undefined ? {} : { logger }) }
}

/** Warns of a key that other users can read. Never rejects. */
async function warnOfKey({ tlsKey }: Config, warn: (text: string) => void): Promise<void> {
  const warning = tlsKey === undefined ? undefined : await privacyWarning(tlsKey)
  if (warning !== undefined) warn(warning)
}

/** The token file: the configured one, or the generated one of a private relay without admission rules. */
async function tokenFileOf(config: Config): Promise<string | undefined> {
  if (config.profile !== 'private' || isRestricted(config)) return config.tokenFile
  return await generatedTokenFile(config.dataDir)
}

/** True if the configuration restricts who may use the relay. */
function isRestricted(config: Config): boolean {
  const { allowReserve, allowConnect, allowTarget, tokenFile, admissionUrl } = config
  const lists = [allowReserve, allowConnect, allowTarget]
  return lists.some(it => it.length > 0) || tokenFile !== undefined || admissionUrl !== undefined
}

const CHOOSE_NOTE = 'To restrict who may use it, see --profile private, --token-file and --allow-reserve.'

/** For a relay without admission rules: who may use it, and how to change that. */
function noteOf(config: Config, relay: Relay, tokenFile: string | undefined): string | undefined {
  if (isRestricted(config)) return undefined
  if (tokenFile !== undefined) {
    const options = `--relay ${relay.addrs[0]} --relay-token-file relay.token`
    return [
      `Only peers that show the token in ${tokenFile} may use this relay. Copy the file to each peer as relay.token, then run:`,
      `  throughnat listen ${options} --expose ssh=127.0.0.1:22`,
      `  throughnat forward PEER ssh ${options} --local 127.0.0.1:2222`,
    ].join('\n')
  }
  if (config.profile === 'public') return undefined
  if (config.profile === 'custom') return `Anyone may use this relay. ${CHOOSE_NOTE}`
  const print = (key: keyof typeof limitOptions & keyof Limits): string =>
    printValue(limitOptions[key].kind, relay.limits[key])
  return (
    `Anyone may use this relay. It carries at most ${print('circuitBytesPerSecond')} per circuit, ` +
    `${print('peerBytesPerSecond')} per peer and ${print('totalBytesPerSecond')} in total, for at most ` +
    `${print('maxReservations')} peers. To change that, see --circuit-rate, --peer-rate, --total-rate and ` +
    `--max-reservations. ${CHOOSE_NOTE}`
  )
}

/** Lets open circuits finish. When the time is over, the relay stops and resets the rest. */
async function drain(relay: Relay, drainMs: number, output: Output): Promise<void> {
  const circuits = relay.circuits
  const human = `Draining: new reservations and circuits are refused; open circuits (${circuits}) have ${drainMs / 1000} s to finish`
  output.event('relay:draining', { circuits, drainMs }, human)
  const time = AbortSignal.timeout(drainMs)
  await relay.drain({ signal: time }).catch(error => {
    if (!time.aborted) throw error
  })
}

function report<Name extends keyof PrintedEvents>(relay: Relay, output: Output, name: Name): void {
  relay.addEventListener(name, event => {
    const { detail } = event as CustomEvent<RelayEvents[Name]['detail']>
    output.event(name, { ...detail }, (sentences[name] as Sentence<Name>)(detail))
  })
}
