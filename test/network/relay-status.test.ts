/** What a relay tells over HTTP: that it works, what it does, and nothing to those who have no business there. */

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { request as httpRequest } from 'node:http'
import net from 'node:net'
import { describe, it } from 'node:test'
import { startStatusServer } from '../../relay/index.ts'
import { connectCircuit, startPlain, startRelay } from './circuit-stage.ts'
import { directory, Program, RELAY } from './program.ts'
import { once } from '../waits.ts'
import type { Stream } from '@libp2p/interface'
import type { IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import type { Relay, RelayInit, StatusServer } from '../../relay/index.ts'

const LIMIT = { timeout: 30_000 }
const SINK = '/test/sink/1'

async function startBoth(t: TestContext, init?: RelayInit): Promise<{ relay: Relay; status: StatusServer }> {
  const relay = await startRelay(t, init)
  const status = await startStatusServer(relay, { host: '127.0.0.1', port: 0 })
  t.after(() => status.stop())
  return { relay, status }
}

/** The samples of a metric, by their labels. */
async function metric({ url }: StatusServer, name: string): Promise<Record<string, number>> {
  const text = await (await fetch(`${url}/metrics`)).text()
  const samples = text.matchAll(new RegExp(`^libp2p_relaysvc_${name}(?:\\{(.*)\\})? (\\S+)$`, 'gm'))
  return Object.fromEntries(Array.from(samples, ([, labels = '', value]) => [labels, Number(value)]))
}

/** A circuit that has carried 50,000 bytes and is over. */
async function useCircuit(t: TestContext, relay: Relay): Promise<void> {
  const [initiator, responder] = [await startPlain(t, relay), await startPlain(t, relay)]
  const received = Promise.withResolvers<void>()
  const sink = async (stream: Stream): Promise<void> => {
    for await (const _ of stream);
    await stream.close()
    received.resolve()
  }
  await responder.handle(SINK, sink, { runOnLimitedConnection: true })
  const { circuit } = await connectCircuit(initiator, responder, relay)
  const stream = await circuit.newStream(SINK, { runOnLimitedConnection: true })
  stream.send(Buffer.alloc(50_000))
  await stream.close()
  await received.promise
  const closed = once(relay as never, 'circuit:closed', { signal: AbortSignal.timeout(10_000) })
  await circuit.close()
  await closed
}

describe('the metrics', () => {
  it('count reservations, circuits, bytes and refusals under the names of go-libp2p', LIMIT, async t => {
    const { relay, status } = await startBoth(t, { maxReservations: 2 })
    await useCircuit(t, relay)
    await assert.rejects(startPlain(t, relay))
    assert.deepEqual(await metric(status, 'status'), { '': 1 })
    assert.deepEqual(await metric(status, 'reservations'), { '': 2 })
    assert.deepEqual(await metric(status, 'circuits'), { '': 0 })
    assert.deepEqual(await metric(status, 'reservations_total'), {
      'type="opened"': 2,
      'type="renewed"': 0,
      'type="closed"': 0,
    })
    assert.deepEqual(await metric(status, 'reservation_rejections_total'), { 'reason="full"': 1 })
    assert.deepEqual(await metric(status, 'reservation_request_response_status_total'), {
      'status="OK"': 2,
      'status="RESERVATION_REFUSED"': 1,
    })
    assert.deepEqual(await metric(status, 'connections_total'), { 'type="opened"': 1, 'type="closed"': 1 })
    assert.deepEqual(await metric(status, 'connection_request_response_status_total'), { 'status="OK"': 1 })
    assert.deepEqual(await metric(status, 'connection_ends_total'), { 'reason="closed"': 1 })
    assert.deepEqual(await metric(status, 'connection_duration_seconds_count'), { '': 1 })
    const bytes = await metric(status, 'data_transferred_bytes_total')
    const there = bytes['direction="to_responder"'] ?? 0
    assert.ok(there > 50_000 && there < 60_000, `${there} bytes`)
  })

  it('count the bytes of circuits that are still open', LIMIT, async t => {
    const { relay, status } = await startBoth(t)
    const [initiator, responder] = [await startPlain(t, relay), await startPlain(t, relay)]
    await connectCircuit(initiator, responder, relay)
    const bytes = await metric(status, 'data_transferred_bytes_total')
    assert.ok((bytes['direction="to_responder"'] ?? 0) > 100)
    assert.deepEqual(await metric(status, 'circuits'), { '': 1 })
  })

  it('are all that the dashboard asks for', LIMIT, async t => {
    const { status } = await startBoth(t)
    const text = await (await fetch(`${status.url}/metrics`)).text()
    const known = new Set(Array.from(text.matchAll(/^# TYPE (\S+)/gm), match => match[1] ?? ''))
    const path = new URL('../../docs/grafana/throughnat-relay.json', import.meta.url)
    const { panels } = JSON.parse(await readFile(path, 'utf8')) as {
      panels: Array<{ targets: Array<{ expr: string }> }>
    }
    const asked = panels
      .flatMap(({ targets }) => targets)
      .flatMap(({ expr }) => expr.match(/\b(?:libp2p|process|nodejs)_[a-z0-9_]+/g) ?? [])
    assert.ok(asked.length > 20)
    const base = (name: string): string => name.replace(/_bucket$/, '')
    assert.deepEqual(
      asked.filter(name => !known.has(base(name))),
      [],
    )
  })
})

describe('/status', () => {
  it('lists reservations, limits, and the peers whose circuits carried most', LIMIT, async t => {
    const { relay, status } = await startBoth(t)
    await useCircuit(t, relay)
    const response = await fetch(`${status.url}/status`)
    assert.equal(response.headers.get('content-type'), 'application/json')
    const body = (await response.json()) as {
      peerId: string
      limits: Record<string, unknown>
      reservations: { count: number; newest: unknown[] }
      peers: Array<{ bytesIn: number; bytesOut: number; circuits: number }>
    }
    assert.equal(body.peerId, relay.peerId.toString())
    assert.deepEqual([body.limits['maxReservations'], body.limits['circuitBytes']], [4096, 'unlimited'])
    assert.deepEqual([body.reservations.count, body.reservations.newest.length], [2, 2])
    const [one, other] = body.peers
    assert.deepEqual([one?.circuits, other?.circuits], [1, 1])
    assert.equal((one?.bytesIn ?? 0) + (one?.bytesOut ?? 0), (other?.bytesIn ?? 0) + (other?.bytesOut ?? 0))
  })
})

describe('/healthz and /readyz', () => {
  it('tell that it works, and that it takes no more when it drains', LIMIT, async t => {
    const { relay, status } = await startBoth(t)
    const codes = async (): Promise<number[]> =>
      Promise.all(['healthz', 'readyz'].map(async path => (await fetch(`${status.url}/${path}`)).status))
    assert.deepEqual(await codes(), [200, 200])
    await relay.drain()
    assert.deepEqual(await codes(), [200, 503])
    assert.deepEqual(await metric(status, 'status'), { '': 0 })
  })

  it('tell that it takes no more when it is stopped', LIMIT, async t => {
    const { relay, status } = await startBoth(t)
    await relay.stop()
    assert.equal((await fetch(`${status.url}/readyz`)).status, 503)
  })
})

describe('the page', () => {
  it('is whole without scripts, and loads nothing from elsewhere', LIMIT, async t => {
    const { relay, status } = await startBoth(t)
    await startPlain(t, relay)
    const response = await fetch(`${status.url}/`)
    const html = await response.text()
    assert.match(html, /throughnat relay: ready/)
    assert.match(html, /<dt>Reservations<\/dt><dd>1 of 4096<\/dd>/)
    assert.ok(html.includes(relay.peerId.toString()))
    assert.doesNotMatch(html, /(src|href)="(?!\/)/)
    const policy = response.headers.get('content-security-policy') ?? ''
    assert.match(policy, /default-src 'none'/)
    assert.doesNotMatch(policy, /unsafe/)
  })

  it('may run and show what is in it', LIMIT, async t => {
    const { status } = await startBoth(t)
    const response = await fetch(`${status.url}/`)
    const policy = response.headers.get('content-security-policy') ?? ''
    const parts = [...(await response.text()).matchAll(/<(style|script)>(.*?)<\/\1>/gs)]
    assert.deepEqual(
      parts.map(([, name]) => name),
      ['style', 'script'],
    )
    for (const [, name = '', text = ''] of parts) {
      const hash = createHash('sha256').update(text).digest('base64')
      assert.ok(policy.includes(`${name}-src 'sha256-${hash}'`), policy)
    }
  })

  it('shows what comes from elsewhere as text', LIMIT, async t => {
    const announce = ['/dns4/%3Cscript%3E/tcp/1', '/dns4/a<b>"c/tcp/1']
    const { status } = await startBoth(t, { announce })
    const html = await (await fetch(`${status.url}/`)).text()
    assert.ok(html.includes('a&#60;b&#62;&#34;c'), html.slice(0, 3000))
  })
})

describe('a request', () => {
  const refusals: ReadonlyArray<[string, object, number]> = [
    ['for something else', { path: '/etc/passwd' }, 404],
    ['that would change something', { method: 'POST' }, 405],
    ['by the name of another', { headers: { host: 'evil.example' } }, 421],
    ['by a name that ends like ours', { headers: { host: 'evil.localhost:80' } }, 421],
    ['with a long head', { headers: { 'x-long': 'x'.repeat(20_000) } }, 431],
  ]
  for (const [what, options, code] of refusals)
    it(`${what} is answered ${code}`, LIMIT, async t => {
      const { status } = await startBoth(t)
      assert.equal((await ask(status, options)).statusCode, code)
    })

  for (const host of ['localhost:1', 'LocalHost:1', '127.0.0.1:1', '[::1]:1', '192.0.2.1'])
    it(`by the name ${host} is answered`, LIMIT, async t => {
      const { status } = await startBoth(t)
      assert.equal((await ask(status, { headers: { host } })).statusCode, 200)
    })

  it('that does not come is not waited for', LIMIT, async t => {
    const { status } = await startBoth(t)
    const socket = net.connect(Number(new URL(status.url).port), '127.0.0.1')
    t.after(() => socket.destroy())
    socket.write('GET / HTTP/1.1\r\nHost: ')
    const received: Buffer[] = []
    socket.on('data', (chunk: Buffer) => received.push(chunk))
    await once(socket, 'close', { signal: AbortSignal.timeout(20_000) })
    assert.match(Buffer.concat(received).toString(), /^HTTP\/1\.1 408 /)
  })

  it('is the only one of its connection', LIMIT, async t => {
    const { status } = await startBoth(t)
    const socket = net.connect(Number(new URL(status.url).port), '127.0.0.1')
    t.after(() => socket.destroy())
    socket.write('GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(100))
    const received: Buffer[] = []
    socket.on('data', (chunk: Buffer) => received.push(chunk))
    await once(socket, 'close', { signal: AbortSignal.timeout(4_000) })
    const text = Buffer.concat(received).toString()
    assert.equal(text.match(/^# TYPE libp2p_relaysvc_status /gm)?.length, 1)
  })

  it('that would change something is told what can be asked', LIMIT, async t => {
    const { status } = await startBoth(t)
    assert.equal((await ask(status, { method: 'DELETE' })).headers.allow, 'GET, HEAD')
  })
})

describe('the status server', () => {
  it('closes all connections when it is stopped', LIMIT, async t => {
    const { status } = await startBoth(t)
    const socket = net.connect(Number(new URL(status.url).port), '127.0.0.1')
    socket.write('GET /healthz HTTP/1.1\r\n')
    await once(socket, 'connect', { signal: AbortSignal.timeout(10_000) })
    // whoever came later has been served, so the server has taken the socket
    assert.equal((await fetch(`${status.url}/healthz`)).status, 200)
    const closed = once(socket, 'close', { signal: AbortSignal.timeout(2_000) })
    status.stop()
    await closed
    await assert.rejects(fetch(`${status.url}/healthz`))
  })

  it('names the address where another program listens', LIMIT, async t => {
    const { relay, status } = await startBoth(t)
    const { host: at, port } = new URL(status.url)
    await assert.rejects(startStatusServer(relay, { host: '127.0.0.1', port: Number(port) }), error => {
      const { name, addrs, message } = error as Error & { addrs: string[] }
      assert.deepEqual([name, addrs], ['ListenError', [at]])
      assert.match(message, /EADDRINUSE/)
      return true
    })
  })
})

async function ask({ url }: StatusServer, options: object): Promise<IncomingMessage> {
  const request = httpRequest(url, { agent: false, ...options })
  request.end()
  const [response] = (await once(request, 'response', { signal: AbortSignal.timeout(10_000) })) as [
    IncomingMessage,
  ]
  response.resume()
  return response
}

describe('--status', () => {
  async function takenPort(t: TestContext): Promise<number> {
    const server = net.createServer().listen(0, '127.0.0.1')
    t.after(() => server.close())
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  }

  it('that is taken ends the relay with code 3', LIMIT, async t => {
    const port = await takenPort(t)
    const at = `127.0.0.1:${port}`
    const args = ['--listen', '/ip4/127.0.0.1/tcp/0', '--data-dir', await directory(t), '--status', at]
    const relay = new Program(t, RELAY, args)
    assert.equal(await relay.ended(), 3)
    assert.match(relay.stderr, new RegExp(`127\\.0\\.0\\.1 port ${port}: the port is in use`))
  })

  it('is told with the first line, and may be off', LIMIT, async t => {
    const args = ['--json', '--listen', '/ip4/127.0.0.1/tcp/0']
    const [one, two, off] = await Promise.all(
      [[], [], ['--status', 'off']].map(async more => {
        const relay = new Program(t, RELAY, [...args, ...more, '--data-dir', await directory(t)])
        return (await relay.line('relay:ready'))['status'] as string | undefined
      }),
    )
    assert.notEqual(one, two)
    for (const url of [one, two]) assert.equal((await fetch(`${url}/readyz`)).status, 200)
    assert.equal(off, undefined)
  })
})
