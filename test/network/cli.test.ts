/** The programs as other programs see them: JSON lines on stdout, exit codes, signals. */

import assert from 'node:assert/strict'
import { chmod, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { directory, Program, RELAY, startListener, startRelay, THROUGHNAT } from './program.ts'
import { once } from '../waits.ts'
import type { AddressInfo } from 'node:net'

const SOMEBODY = '12D3KooWL3XJ9EMCyZvmmGXL2LMiVBtrVa2BuESsJiXkSj7333Jw'
const DOWN = `/ip4/127.0.0.1/tcp/1/p2p/${SOMEBODY}`
const LIMIT = { timeout: 60_000 }

describe('throughnat-relay', () => {
  it(
    'tells its id and addresses first, keeps its identity to itself, and has it again after a restart',
    LIMIT,
    async t => {
      const dataDir = await directory(t)
      const { relay, addr } = await startRelay(t, dataDir)
      const [first] = relay.lines
      assert.equal(first?.event, 'relay:ready')
      assert.equal(typeof first?.at, 'number')
      assert.ok(addr.endsWith(`/p2p/${String(first?.['peerId'])}`))
      assert.equal((await stat(join(dataDir, 'identity.key'))).mode & 0o777, 0o600)
      relay.child.kill('SIGTERM')
      assert.equal(await relay.ended(), 0)
      const again = await startRelay(t, dataDir)
      assert.equal(again.relay.lines[0]?.['peerId'], first?.['peerId'])
    },
  )

  it('refuses an identity that others can read, with code 3', LIMIT, async t => {
    const dataDir = await directory(t)
    const { relay } = await startRelay(t, dataDir)
    relay.child.kill('SIGINT')
    assert.equal(await relay.ended(), 130)
    await chmod(join(dataDir, 'identity.key'), 0o644)
    const refused = new Program(t, RELAY, ['--json', '--data-dir', dataDir])
    assert.equal(await refused.ended(), 3)
    assert.match(refused.stderr, /chmod 600/)
  })

  it('names the address that is taken, with code 3', LIMIT, async t => {
    const { addr } = await startRelay(t, await directory(t))
    const taken = addr.replace(/\/p2p\/.*/, '')
    const second = new Program(t, RELAY, ['--listen', taken, '--data-dir', await directory(t)])
    assert.equal(await second.ended(), 3)
    assert.ok(second.stderr.includes(taken), second.stderr)
  })
})

describe('throughnat', () => {
  it('listens and is pinged, relayed at first, and until direct', LIMIT, async t => {
    const { relay, addr: relayAddr } = await startRelay(t, await directory(t))
    const { listener, addr } = await startListener(t, relayAddr)
    const granted = await listener.line('reservation:granted')
    assert.deepEqual(
      [granted['addr'], typeof granted['relay'], typeof granted['expiresAt']],
      [addr, 'string', 'string'],
    )
    const ping = new Program(t, THROUGHNAT, ['ping', addr, '--json', '--until-direct'])
    assert.equal(await ping.ended(), 0)
    const pongs = ping.lines.filter(it => it.event === 'pong')
    assert.equal(pongs.at(-1)?.['path'], 'direct')
    assert.deepEqual(Object.keys(pongs[0] ?? {}).toSorted(), [
      'at',
      'event',
      'path',
      'remoteAddr',
      'rttMs',
      'seq',
    ])
    const summary = ping.lines.at(-1)
    assert.equal(summary?.event, 'summary')
    assert.deepEqual([summary?.['path'], summary?.['received']], ['direct', pongs.length])
    for (const field of ['sent', 'relayedAt', 'directAt'])
      assert.equal(typeof summary?.[field], 'number', field)
    const opened = await relay.line('circuit:opened')
    assert.equal(opened['responder'], listener.lines.find(it => it.event === 'peer:ready')?.['peerId'])
  })

  it('forwards to a service that is open, and resets the caller where it is not', LIMIT, async t => {
    const server = createServer((_request, response) => response.end('hello from behind')).listen(
      0,
      '127.0.0.1',
    )
    t.after(() => server.close())
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const { addr: relayAddr } = await startRelay(t, await directory(t))
    const expose = ['open', 'closed'].flatMap(name => ['--expose', `${name}=127.0.0.1:${port}`])
    const { addr } = await startListener(t, relayAddr, [...expose, '--allow', 'open=anyone'])
    const through = async (name: string): Promise<string> => {
      const forward = new Program(t, THROUGHNAT, ['forward', addr, name, '--local', '127.0.0.1:0', '--json'])
      const { port } = await forward.line('forward:listening')
      const response = await fetch(`http://127.0.0.1:${String(port)}/`, { headers: { connection: 'close' } })
      return response.text()
    }
    assert.equal(await through('open'), 'hello from behind')
    await assert.rejects(through('closed'))
    await assert.rejects(through('nothing'))
  })

  const failures: Array<[code: number, title: string, args: string[]]> = [
    [2, 'a flag that does not exist', ['ping', SOMEBODY, '--untli-direct']],
    [2, 'a malformed target', ['ping', '/ip4/300.0.0.1']],
    [2, 'a bare number for a duration', ['ping', SOMEBODY, '--relay', DOWN, '--timeout', '5']],
    [2, 'no command', []],
    [2, 'a forward from nowhere', ['forward', SOMEBODY, 'web', '--relay', DOWN]],
    [3, 'a config file that is not there', ['ping', SOMEBODY, '--config', '/nowhere/throughnat.yaml']],
    [4, 'a relay that is down', ['ping', SOMEBODY, '--relay', DOWN]],
    [4, 'no relay to look at', ['ping', SOMEBODY]],
  ]
  for (const [code, title, args] of failures)
    it(`ends with ${code} for ${title}, and says so on stderr`, LIMIT, async t => {
      const program = new Program(t, THROUGHNAT, args)
      assert.equal(await program.ended(), code)
      assert.notEqual(program.stderr, '')
      assert.deepEqual(program.lines, [])
    })

  it(
    'reports all mistakes of a config file at once, with line and nearest key, and ends with 3',
    LIMIT,
    async t => {
      const path = join(await directory(t), 'throughnat.yaml')
      await writeFile(path, 'relays: [1]\ncount: many\ninterval: 5\n')
      const program = new Program(t, THROUGHNAT, ['ping', SOMEBODY, '--config', path])
      assert.equal(await program.ended(), 3)
      for (const place of [':1', ':2', ':3'])
        assert.ok(program.stderr.includes(`throughnat.yaml${place}`), program.stderr)
      assert.match(program.stderr, /"relay"/)
    },
  )

  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)
    it(`ends with ${code} on ${signal}`, LIMIT, async t => {
      const { addr } = await startRelay(t, await directory(t))
      const { listener } = await startListener(t, addr)
      listener.child.kill(signal)
      assert.equal(await listener.ended(), code)
    })
})
