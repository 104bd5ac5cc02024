/**
 * Relays that are given by name, behind NATs: a name stands for all its addresses of both families. Each program has a
 * hosts file of its own, so that the names are resolved by the system as anywhere.
 */

import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createStage } from './stage.ts'
import { runTrial } from './trial.ts'
import type { TestContext } from 'node:test'
import type { NatKindName } from './net/network.ts'
import type { Remote } from './remote.ts'
import type { Stage } from './stage.ts'

const AGENT = fileURLToPath(new URL('agent.ts', import.meta.url))
const NAME = 'relay.example'

/** Addresses at which nothing is. The wide area drops what is sent there. */
const DEAD = '11.0.77.1'
const DEAD6 = '2a0f:fade:77::1'

interface Names {
  file: string
  /** Replaces what the name stands for. */
  set(addresses: readonly string[]): Promise<void>
}

async function names(t: TestContext): Promise<Names> {
  const directory = await mkdtemp(join(tmpdir(), 'throughnat-names-'))
  t.after(async () => rm(directory, { recursive: true }))
  const file = join(directory, 'hosts')
  return {
    file,
    set: async addresses =>
      writeFile(file, ['127.0.0.1 localhost', ...addresses.map(it => `${it} ${NAME}`), ''].join('\n')),
  }
}

/** A peer whose system resolves names by this file. */
async function place(stage: Stage, name: string, kind: NatKindName, { file }: Names): Promise<Remote> {
  const script = `mount --bind "$0" /etc/hosts && exec "$@"`
  const args = ['--mount', 'sh', '-c', script, file, process.execPath, AGENT]
  return stage.place(name, kind, { executable: 'unshare' }, args)
}

const cases: Array<{
  title: string
  protocol: 'dns' | 'dns4' | 'dns6'
  addresses: (relay: { address: string; address6: string }) => string[]
  nat: NatKindName
}> = [
  { title: 'dns4 with A', protocol: 'dns4', addresses: it => [it.address], nat: 'eim-apdf-drop' },
  {
    title: 'dns4 with AAAA and A',
    protocol: 'dns4',
    addresses: it => [it.address6, it.address],
    nat: 'eim-apdf-drop',
  },
  {
    title: 'dns with AAAA and A, from where there is no IPv6',
    protocol: 'dns',
    addresses: it => [it.address6, it.address],
    nat: 'eim-apdf-drop',
  },
  {
    title: 'dns with AAAA and A, from where there are both',
    protocol: 'dns',
    addresses: it => [it.address6, it.address],
    nat: 'none',
  },
  { title: 'dns6 with AAAA', protocol: 'dns6', addresses: it => [it.address6, it.address], nat: 'none' },
  {
    title: 'dns4 with two A, the first dead',
    protocol: 'dns4',
    addresses: it => [DEAD, it.address],
    nat: 'eim-apdf-drop',
  },
  {
    title: 'dns with a dead AAAA and an A',
    protocol: 'dns',
    addresses: it => [DEAD6, it.address],
    nat: 'none',
  },
]

describe('a relay given by name', { concurrency: 3 }, () => {
  for (const { title, protocol, addresses, nat } of cases) {
    it(`is reached, and helps to punch: ${title}`, { timeout: 90_000 }, async t => {
      const hosts = await names(t)
      await using stage = await createStage({ delayMs: 20 })
      const { address, address6 } = stage.relay.host
      await hosts.set(addresses({ address, address6: address6 ?? assert.fail('no IPv6') }))
      const listener = await place(stage, 'listener', nat, hosts)
      const dialer = await place(stage, 'dialer', nat, hosts)
      const relayAddr = `/${protocol}/${NAME}/tcp/4001/p2p/${stage.relayAddr().split('/').at(-1)}`
      const cast = { ...stage.cast(dialer, listener), relayAddr }
      await stage.evident(`relay by name ${title}`, async () => runTrial(cast, 'direct'))
    })
  }

  it('is found again when the name stands for another address', { timeout: 90_000 }, async t => {
    const hosts = await names(t)
    await hosts.set([DEAD])
    await using stage = await createStage({ delayMs: 20 })
    const listener = await place(stage, 'listener', 'eim-apdf-drop', hosts)
    const relays = [`/dns4/${NAME}/tcp/4001/p2p/${stage.relayAddr().split('/').at(-1)}`]
    const failed = listener.next(it => it.event === 'reservation:failed', 40_000)
    const reserved = listener.do('peer', { name: 'peer', relays, reserve: true, timeoutMs: 60_000 }, 60_000)
    await failed
    await hosts.set([stage.relay.host.address])
    await reserved
  })
})
