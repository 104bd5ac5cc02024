/** `throughnat-relay` as an operator runs it: configuration, signals, restarts. */

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { chmod, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { createPeer } from '../../peer/index.ts'
import { certificateFiles } from './certificates.ts'
import { assertCarries, connectCircuit, startPlain } from './circuit-stage.ts'
import { directory, Program, RELAY, startListener, THROUGHNAT } from './program.ts'
import { once } from '../waits.ts'
import type { Connection, Libp2p } from '@libp2p/interface'
import type { TestContext } from 'node:test'
import type { Peer, PeerInit } from '../../peer/index.ts'

const LIMIT = { timeout: 60_000 }
const LISTEN = ['--listen', '/ip4/127.0.0.1/tcp/0']

const within = (ms: number): { signal: AbortSignal } => ({ signal: AbortSignal.timeout(ms) })

async function start(t: TestContext, ...args: string[]): Promise<{ relay: Program; addr: string }> {
  const dataDir = args.includes('--data-dir') ? [] : ['--data-dir', await directory(t)]
  const listen = args.includes('--config') || args.includes('--listen') ? [] : LISTEN
  const relay = new Program(t, RELAY, ['--json', ...listen, ...dataDir, ...args])
  const { addrs } = await relay.line('relay:ready')
  return { relay, addr: (addrs as string[])[0] ?? '' }
}

async function startPeer(t: TestContext, init: PeerInit): Promise<Peer> {
  const peer = await createPeer(init)
  t.after(() => peer.stop())
  return peer
}

/** Two nodes that do not punch, with a circuit between them. */
async function joinCircuit(
  t: TestContext,
  addr: string,
): Promise<{ circuit: Connection; responder: Libp2p }> {
  const relay = { addrs: [addr] }
  const [initiator, responder] = [await startPlain(t, relay), await startPlain(t, relay)]
  const { circuit } = await connectCircuit(initiator, responder, relay)
  return { circuit, responder }
}

describe('SIGTERM', () => {
  it('ends a relay without circuits at once, with code 0', LIMIT, async t => {
    const { relay } = await start(t, '--drain', '1h')
    relay.child.kill('SIGTERM')
    assert.equal(await relay.ended(), 0)
    assert.equal((await relay.line('relay:draining'))['circuits'], 0)
  })

  it('lets circuits finish, and takes no new reservations and circuits', LIMIT, async t => {
    const { relay, addr } = await start(t, '--drain', '1h')
    const { circuit, responder } = await joinCircuit(t, addr)
    const late = await startPeer(t, { relays: [addr], reserve: false })
    relay.child.kill('SIGTERM')
    assert.equal((await relay.line('relay:draining'))['circuits'], 1)
    await assertCarries(circuit)
    await assert.rejects(late.connect(responder.peerId, within(10_000)), /RESOURCE_LIMIT_EXCEEDED/)
    assert.equal((await relay.line('circuit:refused'))['reason'], 'draining')
    const peer = await startPeer(t, { relays: [addr] })
    await once(peer as never, 'reservation:failed', within(10_000))
    assert.equal((await relay.line('reservation:refused'))['reason'], 'draining')
    await circuit.close()
    assert.equal(await relay.ended(), 0)
  })

  it('resets circuits that last longer than the drain', LIMIT, async t => {
    const { relay, addr } = await start(t, '--drain', '500ms')
    await joinCircuit(t, addr)
    relay.child.kill('SIGTERM')
    assert.equal(await relay.ended(), 0)
    assert.equal((await relay.line('circuit:closed'))['reason'], 'stopped')
  })

  it('twice ends it at once, with code 143', LIMIT, async t => {
    const { relay, addr } = await start(t, '--drain', '1h')
    await joinCircuit(t, addr)
    relay.child.kill('SIGTERM')
    await relay.line('relay:draining')
    relay.child.kill('SIGTERM')
    assert.equal(await relay.ended(), 143)
  })
})

describe('SIGHUP', () => {
  it('reads the rules of admission again, and leaves circuits alone', LIMIT, async t => {
    const config = join(await directory(t), 'relay.yaml')
    await writeFile(config, 'listen: /ip4/127.0.0.1/tcp/0\n')
    const { relay, addr } = await start(t, '--config', config)
    const { circuit } = await joinCircuit(t, addr)
    await writeFile(config, 'listen: /ip4/127.0.0.1/tcp/0\ndeny-reserve: [127.0.0.0/8]\n')
    relay.child.kill('SIGHUP')
    await relay.line('config:reloaded')
    const denied = await startPeer(t, { relays: [addr] })
    await once(denied as never, 'reservation:failed', within(10_000))
    assert.equal((await relay.line('reservation:refused'))['rule'], 'deny-reserve 127.0.0.0/8')
    await assertCarries(circuit)
  })

  it('changes nothing where the new configuration is wrong, and says what is', LIMIT, async t => {
    const config = join(await directory(t), 'relay.yaml')
    await writeFile(config, 'listen: /ip4/127.0.0.1/tcp/0\n')
    const { relay, addr } = await start(t, '--config', config)
    await writeFile(config, 'listen: /ip4/127.0.0.1/tcp/0\ndeny-reserv: [127.0.0.0/8]\n')
    relay.child.kill('SIGHUP')
    await relay.said(
      /relay\.yaml:2: unknown option "deny-reserv".*deny-reserve[^]*previous configuration stays in force/,
    )
    await startListener(t, addr)
  })
})

describe('a relay that was killed', () => {
  for (const signal of ['SIGKILL', 'SIGTERM'] as const)
    it(`by ${signal} has its identity and its configuration again`, LIMIT, async t => {
      const dataDir = await directory(t)
      const config = join(dataDir, 'relay.yaml')
      const text = 'listen: [/ip4/127.0.0.1/tcp/0]\nprofile: public\ndrain: 500ms\n'
      await writeFile(config, text)
      const { relay, addr } = await start(t, '--data-dir', dataDir, '--config', config)
      const key = await readFile(join(dataDir, 'identity.key'))
      await joinCircuit(t, addr)
      relay.child.kill(signal)
      await relay.ended()
      assert.equal(await readFile(config, 'utf8'), text)
      assert.deepEqual(await readFile(join(dataDir, 'identity.key')), key)
      const again = await start(t, '--data-dir', dataDir, '--config', config)
      assert.equal(again.relay.lines[0]?.['peerId'], relay.lines[0]?.['peerId'])
      await joinCircuit(t, again.addr)
    })
})

describe('a token', () => {
  it('in a file lets peers in that have it in theirs', LIMIT, async t => {
    const tokens = join(await directory(t), 'token')
    await writeFile(tokens, `# for friends\n${randomBytes(16).toString('hex')}\n`)
    const { addr } = await start(t, '--token-file', tokens)
    const { addr: target } = await startListener(t, addr, ['--relay-token-file', tokens])
    const ping = new Program(t, THROUGHNAT, [
      'ping',
      target,
      '--json',
      '--count',
      '1',
      '--relay',
      addr,
      '--relay-token-file',
      tokens,
    ])
    assert.equal(await ping.ended(), 0, ping.stderr)
    const stranger = new Program(t, THROUGHNAT, ['ping', target, '--json', '--count', '1'])
    assert.equal(await stranger.ended(), 4)
    assert.match(stranger.stderr, /does not admit this peer/)
  })

  it('file that cannot be used is refused with code 3', LIMIT, async t => {
    const tokens = join(await directory(t), 'token')
    for (const [text, problem] of [
      [undefined, /cannot be read \(ENOENT\)/],
      ['# none\n', /holds no token/],
      ['x'.repeat(257), /more than 256 bytes/],
      ['sesame\n', /too easy to guess .* make one with: openssl rand -hex 32/],
    ] as const) {
      if (text !== undefined) await writeFile(tokens, text)
      const relay = new Program(t, RELAY, [
        ...LISTEN,
        '--token-file',
        tokens,
        '--data-dir',
        await directory(t),
      ])
      assert.equal(await relay.ended(), 3)
      assert.match(relay.stderr, problem)
    }
  })
})

describe('--check-config', () => {
  it('ends with 0 where all is well, and starts nothing', LIMIT, async t => {
    const relay = new Program(t, RELAY, ['--check-config', '--json', ...LISTEN])
    assert.equal(await relay.ended(), 0)
    assert.deepEqual(
      relay.lines.map(({ event }) => event),
      ['config:checked'],
    )
  })

  it('names every problem, with code 3 for those of the file', LIMIT, async t => {
    const config = join(await directory(t), 'relay.yaml')
    await writeFile(config, 'circuit-data: 128\nprofile: closed\n')
    const relay = new Program(t, RELAY, ['--check-config', '--config', config])
    assert.equal(await relay.ended(), 3)
    assert.match(relay.stderr, /relay\.yaml:1: .*128KiB/)
    assert.match(relay.stderr, /relay\.yaml:2: .*private, public, custom/)
  })
})

describe('a profile', () => {
  it('that is open prints its bounds and how to change them', LIMIT, async t => {
    const { relay, addr } = await start(t)
    await relay.said(/Anyone may use this relay.* 2MiB\/s per circuit.* 16MiB\/s in total.* 128 peers/)
    await relay.said(/--profile private, --token-file and --allow-reserve/)
    await startListener(t, addr)
  })

  it(
    'that is private makes a token, prints the commands for peers, and lets in only who shows it',
    LIMIT,
    async t => {
      const dataDir = await directory(t)
      const { relay, addr } = await start(t, '--data-dir', dataDir, '--profile', 'private')
      const token = join(dataDir, 'relay.token')
      await relay.said(/--relay-token-file relay\.token --local/)
      assert.equal((await stat(token)).mode & 0o777, 0o600)
      const secret = (await readFile(token, 'utf8')).trim()
      assert.match(secret, /^[\w-]{43}$/)
      assert.ok(!relay.stderr.includes(secret) && !relay.stdout.includes(secret))
      const { addr: target } = await startListener(t, addr, ['--relay-token-file', token])
      const ping = ['ping', target, '--json', '--count', '1', '--timeout', '5s']
      const stranger = new Program(t, THROUGHNAT, ping)
      assert.equal(await stranger.ended(), 4)
      const friend = new Program(t, THROUGHNAT, [...ping, '--relay', addr, '--relay-token-file', token])
      assert.equal(await friend.ended(), 0, friend.stderr)

      relay.child.kill('SIGKILL')
      await relay.ended()
      const again = await start(t, '--data-dir', dataDir, '--profile', 'private')
      again.relay.child.kill('SIGKILL')
      assert.equal((await readFile(token, 'utf8')).trim(), secret)
    },
  )

  it('that is private refuses a token that others can read', LIMIT, async t => {
    const dataDir = await directory(t)
    const token = join(dataDir, 'relay.token')
    await writeFile(token, 'sesame\n')
    await chmod(token, 0o640)
    const relay = new Program(t, RELAY, [...LISTEN, '--data-dir', dataDir, '--profile', 'private'])
    assert.equal(await relay.ended(), 3)
    assert.match(relay.stderr, /chmod 600 /)
  })

  it('that is private makes no token where rules say who may use it', LIMIT, async t => {
    const dataDir = await directory(t)
    const rules = ['--allow-reserve', '127.0.0.0/8', '--allow-connect', '127.0.0.0/8']
    const { addr } = await start(t, '--data-dir', dataDir, '--profile', 'private', ...rules)
    await startListener(t, addr)
    await assert.rejects(stat(join(dataDir, 'relay.token')), { code: 'ENOENT' })
  })
})

describe('the key of a certificate', () => {
  const secure = ['--listen', '/ip4/127.0.0.1/tcp/0/tls/ws']

  it('that others can read brings a warning at the start and at SIGHUP', LIMIT, async t => {
    const { tlsCert, tlsKey } = certificateFiles(t)
    await chmod(tlsKey, 0o644)
    const { relay } = await start(t, ...secure, '--tls-cert', tlsCert, '--tls-key', tlsKey)
    const warning = `key\\.pem contains a secret and can be read by others \\(mode 644\\); run: chmod 600 ${tlsKey}`
    await relay.said(new RegExp(warning))
    relay.child.kill('SIGHUP')
    await relay.said(new RegExp(`${warning}[^]*${warning}`))
  })

  it('that others can change keeps a relay from starting, with code 3', LIMIT, async t => {
    const { tlsCert, tlsKey } = certificateFiles(t)
    await chmod(tlsKey, 0o602)
    const args = ['--data-dir', await directory(t), ...secure, '--tls-cert', tlsCert, '--tls-key', tlsKey]
    const relay = new Program(t, RELAY, args, { json: false })
    assert.equal(await relay.ended(), 3)
    assert.match(relay.stderr, /key\.pem can be changed by others \(mode 602\); run: chmod 600 /)
  })
})
