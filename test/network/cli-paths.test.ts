/** The programs where the path stays relayed, where a service is down, and over standard input and output. */

import assert from 'node:assert/strict'
import { chmod, readdir } from 'node:fs/promises'
import { createServer } from 'node:http'
import net from 'node:net'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { startPlain, startRelay as startRelayNode } from './circuit-stage.ts'
import { directory, Program, startListener, startRelay, THROUGHNAT } from './program.ts'
import { freePort } from './free-port.ts'
import {} from './tunnel-nodes.ts'
import { once } from '../waits.ts'
import type { AddressInfo } from 'node:net'

const LIMIT = { timeout: 60_000 }

describe('throughnat ping', { concurrency: 2 }, () => {
  it('ends with 5 and the reason where the path stays relayed, and has been answered', LIMIT, async t => {
    const relay = await startRelayNode(t)
    const plain = await startPlain(t, relay)
    const target = `${relay.addrs[0]}/p2p-circuit/p2p/${plain.peerId}`
    const ping = new Program(t, THROUGHNAT, [
      'ping',
      target,
      '--json',
      '--until-direct',
      '--interval',
      '200ms',
    ])
    assert.equal(await ping.ended(), 5)
    const pongs = ping.lines.filter(it => it.event === 'pong')
    assert.ok(pongs.length > 0)
    assert.deepEqual([...new Set(pongs.map(it => it['path']))], ['relayed'])
    const failed = ping.lines.find(it => it.event === 'holepunch:failed')
    assert.equal(failed?.['reason'], 'not-supported')
    const summary = ping.lines.at(-1)
    assert.deepEqual([summary?.event, summary?.['path'], summary?.['directAt']], ['summary', 'relayed', null])
    assert.equal(summary?.['reason'], 'not-supported')
    assert.match(ping.stderr, /\(not-supported\): the other side does not speak DCUtR/)
  })

  it('counts, and ends with 0 where the path may stay relayed', LIMIT, async t => {
    const relay = await startRelayNode(t)
    const plain = await startPlain(t, relay)
    const target = `${relay.addrs[0]}/p2p-circuit/p2p/${plain.peerId}`
    const ping = new Program(t, THROUGHNAT, ['ping', target, '--json', '--count', '3', '--interval', '50ms'])
    assert.equal(await ping.ended(), 0)
    const pongs = ping.lines.filter(it => it.event === 'pong')
    assert.deepEqual(
      pongs.map(it => it['seq']),
      [1, 2, 3],
    )
    const { sent, received, rttMs } = ping.lines.at(-1) as unknown as Record<string, unknown>
    assert.deepEqual([sent, received], [3, 3])
    const { min, median, max } = rttMs as Record<'min' | 'median' | 'max', number>
    assert.ok(min > 0 && min <= median && median <= max)
  })

  it('tells a person why the path stays relayed, also where it may', LIMIT, async t => {
    const relay = await startRelayNode(t)
    const plain = await startPlain(t, relay)
    const args = ['ping', `${relay.addrs[0]}/p2p-circuit/p2p/${plain.peerId}`, '--count', '1000']
    const ping = new Program(t, THROUGHNAT, args, { json: false })
    await ping.said(/\(not-supported\): the other side does not speak DCUtR/)
    ping.child.kill('SIGINT')
    assert.equal(await ping.ended(), 130)
    assert.match(ping.stdout, /answered, relayed \(not-supported\)/)
  })

  it('ends with 4 for a peer that the relay does not know', LIMIT, async t => {
    const relay = await startRelayNode(t)
    const stranger = '12D3KooWL3XJ9EMCyZvmmGXL2LMiVBtrVa2BuESsJiXkSj7333Jw'
    const ping = new Program(t, THROUGHNAT, ['ping', stranger, '--relay', String(relay.addrs[0]), '--json'])
    assert.equal(await ping.ended(), 4)
    assert.match(ping.stderr, /NO_RESERVATION/)
    assert.deepEqual(ping.lines, [])
  })

  it('ends with 4 for a relay that says nothing, when its time is over', LIMIT, async t => {
    const sockets: net.Socket[] = []
    const server = net
      .createServer(socket => sockets.push(socket.on('error', () => {})))
      .listen(0, '127.0.0.1')
    t.after(() => {
      server.close()
      for (const socket of sockets) socket.destroy()
    })
    await once(server, 'listening')
    const id = '12D3KooWL3XJ9EMCyZvmmGXL2LMiVBtrVa2BuESsJiXkSj7333Jw'
    const relay = `/ip4/127.0.0.1/tcp/${(server.address() as AddressInfo).port}/p2p/${id}`
    const ping = new Program(t, THROUGHNAT, ['ping', id, '--relay', relay, '--timeout', '500ms'])
    assert.equal(await ping.ended(), 4)
    assert.match(ping.stderr, /no answer within 0\.5 s/)
  })

  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    it(`that is stopped by ${signal} sums up and ends with ${code}`, LIMIT, async t => {
      const relay = await startRelayNode(t)
      const plain = await startPlain(t, relay)
      const target = `${relay.addrs[0]}/p2p-circuit/p2p/${plain.peerId}`
      const ping = new Program(t, THROUGHNAT, ['ping', target, '--json', '--count', '1000'])
      await ping.line('pong')
      ping.child.kill(signal)
      assert.equal(await ping.ended(), code)
      assert.equal(ping.lines.at(-1)?.event, 'summary')
    })
  }
})

describe('throughnat forward', { concurrency: 2 }, () => {
  it('carries standard input and output, and nothing else on them', LIMIT, async t => {
    const server = createServer((_, response) => response.end('hello from behind')).listen(0, '127.0.0.1')
    t.after(() => server.close())
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const { addr: relay } = await startRelay(t, await directory(t))
    const expose = ['--expose', `web=127.0.0.1:${port}`, '--allow', 'web=anyone']
    const { addr } = await startListener(t, relay, expose)
    const forward = new Program(t, THROUGHNAT, ['forward', addr, 'web', '--stdio'], { json: false })
    forward.child.stdin.end('GET / HTTP/1.0\r\n\r\n')
    assert.equal(await forward.ended(), 0)
    assert.match(forward.stdout, /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nhello from behind$/)
    assert.equal(forward.stderr, '')
  })

  const refusals: ReadonlyArray<[string, string, RegExp]> = [
    ['closed', 'closed', /closed/],
    ['not there', 'nothing', /nothing/],
    ['down', 'down', /down/],
  ]
  for (const [what, name, message] of refusals) {
    it(`ends with 4 for a service that is ${what}, and writes nothing to standard output`, LIMIT, async t => {
      const { addr: relay } = await startRelay(t, await directory(t))
      const port = await freePort()
      const expose = ['closed', 'down'].flatMap(it => ['--expose', `${it}=127.0.0.1:${port}`])
      const { addr } = await startListener(t, relay, [...expose, '--allow', 'down=anyone'])
      const forward = new Program(t, THROUGHNAT, ['forward', addr, name, '--stdio'], { json: false })
      assert.equal(await forward.ended(), 4)
      assert.match(forward.stderr, message)
      assert.equal(forward.stdout, '')
    })
  }

  it('ends with 3 where another program listens on the local port, and names it', LIMIT, async t => {
    const server = net.createServer().listen(0, '127.0.0.1')
    t.after(() => server.close())
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const { addr: relay } = await startRelay(t, await directory(t))
    const { addr } = await startListener(t, relay)
    const forward = new Program(t, THROUGHNAT, [
      'forward',
      addr,
      'web',
      '--json',
      '--local',
      `127.0.0.1:${port}`,
    ])
    assert.equal(await forward.ended(), 3)
    assert.ok(forward.stderr.includes(String(port)), forward.stderr)
  })
})

describe('throughnat listen', () => {
  it('ends with 3 where another program listens on the port, and names it', LIMIT, async t => {
    const server = net.createServer().listen(0, '0.0.0.0')
    t.after(() => server.close())
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const { addr: relay } = await startRelay(t, await directory(t))
    const args = ['listen', '--relay', relay, '--data-dir', await directory(t), '--port', String(port)]
    const listen = new Program(t, THROUGHNAT, args)
    assert.equal(await listen.ended(), 3)
    assert.ok(listen.stderr.includes(`/tcp/${port}`), listen.stderr)
  })

  it('ends with 3 for a key that others can read, and says what to do', LIMIT, async t => {
    const dataDir = await directory(t)
    const { addr: relay } = await startRelay(t, dataDir)
    const [key] = await readdir(dataDir)
    await chmod(join(dataDir, key ?? ''), 0o644)
    const listen = new Program(t, THROUGHNAT, ['listen', '--relay', relay, '--data-dir', dataDir])
    assert.equal(await listen.ended(), 3)
    assert.match(listen.stderr, /chmod 600/)
  })
})
