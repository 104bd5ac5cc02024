/** How the programs end when something ordinary goes wrong: with the cause, an exit code, and never as "a bug". */

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chown, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { generateKeyPair, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import { directory, Program, RELAY, startListener, startRelay, THROUGHNAT } from './program.ts'
import type { AddressInfo, Socket } from 'node:net'
import type { TestContext } from 'node:test'

const LIMIT = { timeout: 60_000 }
const SOMEBODY = '12D3KooWL3XJ9EMCyZvmmGXL2LMiVBtrVa2BuESsJiXkSj7333Jw'

/** A service behind a listener, and a `forward --stdio` that has reached it: the service has sent `hello`. */
async function connectStdio(
  t: TestContext,
  onSocket: (socket: Socket) => void = () => {},
): Promise<{ listener: Program; forward: Program; socket: Socket; relay: Program }> {
  const { promise: accepted, resolve } = Promise.withResolvers<Socket>()
  const server = createServer(socket => {
    socket.on('error', () => {})
    t.after(() => socket.destroy())
    socket.write('hello')
    onSocket(socket)
    resolve(socket)
  }).listen(0, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const { relay, addr: relayAddr } = await startRelay(t, await directory(t))
  const expose = ['--expose', `web=127.0.0.1:${port}`, '--allow', 'web=anyone']
  const { listener, addr } = await startListener(t, relayAddr, expose)
  const forward = new Program(t, THROUGHNAT, ['forward', addr, 'web', '--stdio'], { json: false })
  await once(forward.child.stdout, 'data', { signal: AbortSignal.timeout(20_000) })
  return { listener, forward, socket: await accepted, relay }
}

describe('forward --stdio', () => {
  it('ends with 4 when the service resets the connection', LIMIT, async t => {
    const { forward, socket } = await connectStdio(t)
    socket.resetAndDestroy()
    assert.equal(await forward.ended(), 4)
    assert.match(forward.stderr, /^error: The connection was cut: the service, or the remote peer/m)
    assert.doesNotMatch(forward.stderr, /bug|\n\s+at /)
  })

  it('ends with 4 when the service closes while bytes are still sent to it', LIMIT, async t => {
    const { forward, socket } = await connectStdio(t, socket => void socket.pause())
    forward.child.stdin.on('error', () => {})
    forward.child.stdin.write(Buffer.alloc(1024 * 1024))
    await once(socket.resume(), 'data')
    socket.destroy()
    const code = await forward.ended()
    // the end of the service may also get there before the reset does
    assert.ok(code === 4 || code === 0, forward.stderr)
    assert.doesNotMatch(forward.stderr, /bug|\n\s+at /)
  })

  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    it(`ends with 4 when the listener is stopped by ${signal}`, LIMIT, async t => {
      const { forward, listener } = await connectStdio(t)
      listener.child.kill(signal)
      assert.equal(await forward.ended(), 4)
      assert.match(forward.stderr, /^error: The connection was cut/m)
      assert.doesNotMatch(forward.stderr, /bug|\n\s+at /)
    })
})

describe('a mistyped peer id', () => {
  const relay = `/ip4/127.0.0.1/tcp/1/p2p/${SOMEBODY}`
  for (const [what, argv] of [
    ['as a target', ['ping', `${SOMEBODY.slice(0, -1)}`]],
    ['in an address', ['forward', `/ip4/127.0.0.1/tcp/1/p2p/${SOMEBODY.slice(0, 20)}`, 'web', '--stdio']],
    ['behind a circuit', ['forward', `${relay}/p2p-circuit/p2p/12D3KooWx`, 'web', '--local', '127.0.0.1:0']],
    ['of the relay of a circuit', ['ping', `/ip4/127.0.0.1/tcp/1/p2p/Qmbad/p2p-circuit/p2p/${SOMEBODY}`]],
    ['of a relay', ['ping', SOMEBODY, '--relay', '/ip4/127.0.0.1/tcp/1/p2p/12D3KooWx']],
    ['in a rule', ['listen', '--relay', relay, '--expose', 'web=127.0.0.1:1', '--allow', 'web=12D3KooWx']],
  ] as const)
    it(`${what} is a mistake on the command line: 2`, LIMIT, async t => {
      const program = new Program(t, THROUGHNAT, [...argv], { json: false })
      assert.equal(await program.ended(), 2)
      assert.match(program.stderr, /complete peer id|neither a multiaddr nor a peer id/)
      assert.doesNotMatch(program.stderr, /bug/)
    })
})

describe('an ECDSA key as identity', () => {
  for (const [what, path, args] of [
    ['the relay', RELAY, []],
    ['id', THROUGHNAT, ['id']],
    ['listen', THROUGHNAT, ['listen', '--relay', `/ip4/127.0.0.1/tcp/1/p2p/${SOMEBODY}`]],
    ['ping', THROUGHNAT, ['ping', `/ip4/127.0.0.1/tcp/1/p2p/${SOMEBODY}`]],
  ] as const)
    it(`is reported by ${what}, with code 3`, LIMIT, async t => {
      const dataDir = await directory(t)
      const key = privateKeyToProtobuf(await generateKeyPair('ECDSA'))
      await writeFile(join(dataDir, 'identity.key'), key, { mode: 0o600 })
      const program = new Program(t, path, [...args, '--data-dir', dataDir], { json: false })
      assert.equal(await program.ended(), 3)
      assert.match(program.stderr, /^error: The identity .* is a key of the type ECDSA/m)
    })
})

/** No entry of /etc/passwd. */
const STRANGER = 54_321
const isRoot = process.getuid?.() === 0
const canRead =
  isRoot &&
  spawnSync(process.execPath, [THROUGHNAT, '--version'], { uid: STRANGER, gid: STRANGER }).status === 0
const asStranger = {
  ...LIMIT,
  ...(canRead ? {} : { skip: 'needs root, and a checkout that others can read' }),
}

describe('a user without an entry in /etc/passwd and without HOME', () => {
  const env = { PATH: process.env['PATH'] }

  it('runs a relay and a listener with --data-dir, and dials', asStranger, async t => {
    const as = { uid: STRANGER, env }
    const dataDir = async (): Promise<string> => {
      const path = await directory(t)
      await chown(path, STRANGER, STRANGER)
      return path
    }
    const listen = ['--json', '--listen', '/ip4/127.0.0.1/tcp/0', '--data-dir', await dataDir()]
    const relay = new Program(t, RELAY, listen, as)
    const [relayAddr = ''] = (await relay.line('relay:ready'))['addrs'] as string[]
    const args = ['listen', '--json', '--relay', relayAddr, '--data-dir', await dataDir()]
    const listener = new Program(t, THROUGHNAT, args, as)
    const [addr = ''] = (await listener.line('peer:ready'))['addrs'] as string[]
    const ping = new Program(t, THROUGHNAT, ['ping', addr, '--count', '1', '--json'], as)
    assert.equal(await ping.ended(), 0, ping.stderr)
  })

  for (const [what, path, args] of [
    ['the relay', RELAY, []],
    ['id', THROUGHNAT, ['id']],
    ['listen', THROUGHNAT, ['listen', '--relay', `/ip4/127.0.0.1/tcp/1/p2p/${SOMEBODY}`]],
  ] as const)
    it(`is asked by ${what} for --data-dir, with code 3`, asStranger, async t => {
      const program = new Program(t, path, [...args], { json: false, uid: STRANGER, env })
      assert.equal(await program.ended(), 3)
      assert.match(
        program.stderr,
        /^error: --data-dir: this user has no home directory: .* a path without ~$/m,
      )
    })

  it('learns which path needs a home directory', asStranger, async t => {
    const args = ['ping', SOMEBODY, '--names', '~/names']
    const program = new Program(t, THROUGHNAT, args, { json: false, uid: STRANGER, env })
    assert.equal(await program.ended(), 3)
    assert.match(program.stderr, /^error: --names: this user has no home directory/m)
  })
})

describe('a working directory that was removed', {
  skip: process.platform === 'win32' && 'it cannot be',
}, () => {
  const start = async (t: TestContext, path: string, args: string[], json = false): Promise<Program> => {
    const gone = join(await directory(t), 'gone')
    const via = ['sh', '-c', 'mkdir "$0" && cd "$0" && rmdir "$0" && exec "$@"', gone]
    return new Program(t, path, args, { json, via })
  }

  it('does not matter where no path starts from it', LIMIT, async t => {
    const id = await start(t, THROUGHNAT, ['id', '--data-dir', await directory(t)])
    assert.equal(await id.ended(), 0, id.stderr)
    const args = ['--json', '--listen', '/ip4/127.0.0.1/tcp/0', '--data-dir', await directory(t)]
    await (await start(t, RELAY, args, true)).line('relay:ready')
  })

  for (const [what, args] of [
    ['--data-dir', ['id', '--data-dir', 'data']],
    ['--names', ['ping', SOMEBODY, '--names', 'names']],
    ['peer.yaml', ['up', '--config', 'peer.yaml']],
  ] as const)
    it(`is reported for a path that starts from it, of ${what}`, LIMIT, async t => {
      const program = await start(t, THROUGHNAT, [...args])
      const code = await program.ended()
      assert.ok(code === 2 || code === 3, String(code))
      assert.match(program.stderr, /the working directory does not exist any more/)
      assert.ok(program.stderr.includes(what))
    })
})

describe('--quiet', () => {
  it('leaves a listener, a relay and a forward without a word, and their errors in place', LIMIT, async t => {
    const quietly = { json: false }
    const dataDir = await directory(t)
    const { addr: relayAddr } = await startRelay(t, await directory(t))
    const listener = new Program(
      t,
      THROUGHNAT,
      ['listen', '--relay', relayAddr, '--data-dir', dataDir, '--quiet'],
      quietly,
    )
    const id = new Program(t, THROUGHNAT, ['id', '--quiet', '--data-dir', dataDir], quietly)
    assert.equal(await id.ended(), 0)
    assert.match(id.stdout, /^12D3KooW\w+\n$/)
    // until the listener is there
    const target = `${relayAddr}/p2p-circuit/p2p/${id.stdout.trim()}`
    for (let code: number | null = 4; code === 4; ) {
      const ping = new Program(t, THROUGHNAT, ['ping', target, '--count', '1', '--quiet'], quietly)
      code = await ping.ended()
      if (code === 0) assert.match(ping.stdout, /1 of 1 answered/)
      else assert.match(ping.stderr, /^error: [^\n]+\n$/)
    }
    listener.child.kill('SIGTERM')
    assert.equal(await listener.ended(), 143)
    assert.deepEqual([listener.stdout, listener.stderr], ['', ''])
  })
})
