/**
 * `npm start`: the main job, end to end, on this machine.
 *
 * A relay, a listener that exposes a web server, and a dialer that fetches a page from it: through the relay at first,
 * directly as soon as the hole has been punched. The commands are printed as they would be typed on three machines.
 */

import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createPlaces } from './demo/place.ts'
import { DemoProgram } from './demo/program.ts'
import type { DemoEvent } from './demo/program.ts'
import type { Place, Places } from './demo/place.ts'

const THROUGHNAT = built('peer/bin/throughnat.js')
const THROUGHNAT_RELAY = built('relay/bin/throughnat-relay.js')
const WEB_SERVER = script('demo/web-server.ts')
const FETCH = script('demo/fetch.ts')

const PAGE_BYTES = 300_000
const WEB_PORT = 8080
const LOCAL_PORT = 9090

/** What a fetch brought. */
interface Page {
  bytes: number
  sha256: string
  elapsedMs: number
}

/** Thrown into the story by a signal, so that everything is taken down in order. */
class Interruption extends Error {
  readonly exitCode: number

  constructor(exitCode: number) {
    super('Interrupted.')
    this.exitCode = exitCode
  }
}

const interrupted = new Promise<never>((_resolve, reject) => {
  process.on('SIGINT', () => reject(new Interruption(130)))
  process.on('SIGTERM', () => reject(new Interruption(143)))
})
// it may come while nobody waits for it yet
interrupted.catch(() => {})

const directory = await mkdtemp(join(tmpdir(), 'throughnat-demo-'))
try {
  await demo()
} catch (error) {
  process.exitCode = error instanceof Interruption ? error.exitCode : 1
  console.error(`\n${(error as Error).message}`)
} finally {
  await rm(directory, { recursive: true, force: true })
}

async function demo(): Promise<void> {
  // making the places takes a moment and is not broken off half way, so that nothing of them is left
  await using places = await createPlaces()
  console.log(`This runs on ${places.description}.\n`)
  try {
    await Promise.race([story(places), interrupted])
  } catch (error) {
    if (!(error instanceof Interruption)) await places.keepEvidence('test-results/demo')
    throw error
  }
}

async function story({ relay, home, laptop, hasNats }: Places): Promise<void> {
  const web = new DemoProgram(home, WEB_SERVER, ['127.0.0.1', String(WEB_PORT), String(PAGE_BYTES)])
  await web.event('web:ready')

  const relaying = type('relay', relay, THROUGHNAT_RELAY, ['--listen', `/ip4/${relay.address}/tcp/4001`])
  const { addrs: relayAddrs } = await relaying.event('relay:ready')
  const relayAddr = first(relayAddrs)

  const expose = ['--expose', `web=127.0.0.1:${WEB_PORT}`, '--allow', 'web=anyone']
  const listening = type('home', home, THROUGHNAT, ['listen', '--relay', relayAddr, ...expose])
  const reservation = await listening.event('reservation:granted')

  const local = `127.0.0.1:${LOCAL_PORT}`
  const target = first((await listening.event('peer:ready'))['addrs'])
  const forwarding = type('laptop', laptop, THROUGHNAT, ['forward', target, 'web', '--local', local])
  await forwarding.event('forward:listening')

  console.log(`laptop$ curl http://${local}/`)
  const before = await fetchPage(laptop, `http://${local}/`)
  const used = await listening.event('service:opened')
  tell(before, used)

  const direct = await turnDirect(forwarding, hasNats)
  printTimeline(forwarding, listening, reservation, direct)

  console.log(`laptop$ curl http://${local}/`)
  const after = await fetchPage(laptop, `http://${local}/`)
  const usedAgain = await listening.event('service:opened', it => it !== used)
  tell(after, usedAgain)

  check(before, after)
  console.log(
    `Both pages are those of the server: ${PAGE_BYTES} bytes, SHA-256 ${before.sha256.slice(0, 16)}...`,
  )
}

/** Prints a command as a person would type it, and runs it with what only the demo needs. */
function type(name: string, place: Place, path: string, args: string[]): DemoProgram {
  const program = path === THROUGHNAT ? 'throughnat' : 'throughnat-relay'
  console.log(`${name}$ ${[program, ...args].join(' ')}\n`)
  return new DemoProgram(place, path, args, ['--json', '--data-dir', join(directory, name)])
}

/** Waits until the path is direct; without NATs it need not become so. */
async function turnDirect(forwarding: DemoProgram, mustTurn: boolean): Promise<DemoEvent | undefined> {
  try {
    return await forwarding.event('path:changed', it => it['path'] === 'direct')
  } catch (error) {
    if (mustTurn) throw error
    console.log('The path has stayed relayed.\n')
    return undefined
  }
}

function printTimeline(
  forwarding: DemoProgram,
  listening: DemoProgram,
  reservation: DemoEvent,
  direct: DemoEvent | undefined,
): void {
  const circuit = forwarding.events.find(it => it.event === 'peer:connected')
  const sync = [...forwarding.events, ...listening.events].find(it => it.event === 'holepunch:attempt')
  const moments = [
    ['the listener holds a reservation', reservation],
    ['a circuit is open: relayed', circuit],
    ['SYNC: both sides punch', sync],
    ['the path is direct', direct],
  ] as const
  console.log('\n  ms')
  for (const [what, event] of moments)
    if (event !== undefined)
      console.log(`${String(event.at - (circuit?.at ?? reservation.at)).padStart(6)}  ${what}`)
  if (direct !== undefined) console.log(`\nDirect: ${String(direct['remoteAddr'])}\n`)
}

async function fetchPage(place: Place, url: string): Promise<Page> {
  return JSON.parse(await place.run(process.execPath, [FETCH, url])) as Page
}

function tell({ bytes, elapsedMs }: Page, { path }: DemoEvent): void {
  console.log(`  ${bytes} bytes in ${Math.round(elapsedMs)} ms, ${String(path)}`)
}

function check(...pages: Page[]): void {
  const line = 'This page was served behind a NAT.\n'
  const page = line.repeat(Math.ceil(PAGE_BYTES / line.length)).slice(0, PAGE_BYTES)
  const expected = createHash('sha256').update(page).digest('hex')
  if (pages.some(({ sha256 }) => sha256 !== expected))
    throw new Error('A page differs from that of the server.')
}

function first(addrs: unknown): string {
  const [addr] = addrs as string[]
  if (addr === undefined) throw new Error('a program has told no address')
  return addr
}

function built(path: string): string {
  return fileURLToPath(new URL(`../dist/${path}`, import.meta.url))
}

function script(path: string): string {
  return fileURLToPath(new URL(path, import.meta.url))
}
