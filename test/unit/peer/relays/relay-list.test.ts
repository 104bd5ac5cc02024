/** Where relays are known from: a list, a file that changes, names. */

import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { base32 } from 'multiformats/bases/base32'
import { base36 } from 'multiformats/bases/base36'
import { resolveDnsaddr } from '../../../../peer/relays/dnsaddr.ts'
import { ReservationSlots } from '../../../../peer/relays/reservations/slots.ts'
import { RelayList } from '../../../../peer/relays/relay-list.ts'
import { once } from '../../../waits.ts'

const ONE = '/ip4/192.0.2.1/tcp/4001/p2p/12D3KooWL3XJ9EMCyZvmmGXL2LMiVBtrVa2BuESsJiXkSj7333Jw'
const OTHER = '/ip4/192.0.2.2/tcp/4001/p2p/12D3KooWNdGWvAXPeWz1Hdi9gFqmETeftoefERNdBHzjFLVgz3Tp'

const addrsOf = (list: RelayList): string[] => list.relays.flatMap(it => it.addrs.map(String))

test('addresses of one relay count as one', () => {
  const list = new RelayList([multiaddr(ONE), multiaddr(ONE.replace('4001', '443'))])
  assert.equal(list.relays.length, 1)
  assert.equal(list.relays[0]?.addrs.length, 2)
})

test('a file is read again when it changes; a broken one leaves the relays as they were', async t => {
  const directory = await mkdtemp(join(tmpdir(), 'throughnat-relays-'))
  const path = join(directory, 'relays')
  await writeFile(path, `# ours\n${ONE}\n`)
  const list = new RelayList([], path)
  t.after(async () => {
    list.stop()
    await rm(directory, { recursive: true, force: true })
  })
  await list.start()
  assert.deepEqual(addrsOf(list), [ONE])
  const failed = once(list as never, 'relays:failed', { signal: AbortSignal.timeout(10_000) })
  await writeFile(path, 'nonsense\n')
  await failed
  assert.deepEqual(addrsOf(list), [ONE])
  const changed = once(list as never, 'relays:changed', { signal: AbortSignal.timeout(10_000) })
  await writeFile(path, `${ONE}\n${OTHER} # another\n`)
  await changed
  assert.deepEqual(addrsOf(list), [ONE, OTHER])
})

test('a file with mistakes is refused at the start, with all of them', async t => {
  const directory = await mkdtemp(join(tmpdir(), 'throughnat-relays-'))
  t.after(async () => rm(directory, { recursive: true, force: true }))
  const path = join(directory, 'relays')
  await writeFile(path, `nonsense\n${ONE}\n/ip4/192.0.2.1/tcp/1\n`)
  await assert.rejects(new RelayList([], path).start(), (error: Error) => {
    assert.equal(error.name, 'InvalidConfigError')
    assert.match(error.message, /relays:1: .*\n.*relays:3: /)
    return true
  })
})

test('a name stands for the addresses in its text records, of the peer that it names', async () => {
  const records: Record<string, string[]> = {
    '_dnsaddr.example.org': [
      `dnsaddr=${ONE}`,
      'dnsaddr=/dnsaddr/more.example.org',
      'v=spf1',
      'dnsaddr=/nonsense',
    ],
    '_dnsaddr.more.example.org': [`dnsaddr=${OTHER}`],
  }
  const lookUp = async (name: string): Promise<string[][]> => (records[name] ?? []).map(text => [text])
  const all = await resolveDnsaddr(multiaddr('/dnsaddr/example.org'), {}, lookUp)
  assert.deepEqual(all.map(String), [ONE, OTHER])
  const [, peerId] = ONE.split('/p2p/')
  const one = await resolveDnsaddr(multiaddr(`/dnsaddr/example.org/p2p/${peerId}`), {}, lookUp)
  assert.deepEqual(one.map(String), [ONE])
})

test('a name whose records have peer ids as CIDs stands for the same relays', async () => {
  const [, peerId = ''] = ONE.split('/p2p/')
  const cid = peerIdFromString(peerId).toCID()
  for (const form of [cid.toString(base32), cid.toString(base36)]) {
    const lookUp = async (): Promise<string[][]> => [[`dnsaddr=${ONE.replace(peerId, form)}`]]
    for (const name of ['/dnsaddr/example.org', `/dnsaddr/example.org/p2p/${peerId}`]) {
      const found = await resolveDnsaddr(multiaddr(name), {}, lookUp)
      assert.deepEqual(found.map(String), [ONE])
    }
  }
})

test('a name that stands for itself comes to an end', async () => {
  const lookUp = async (): Promise<string[][]> => [['dnsaddr=/dnsaddr/example.org']]
  assert.deepEqual(await resolveDnsaddr(multiaddr('/dnsaddr/example.org'), {}, lookUp), [])
})

test('of the relays that wait for a slot, one on another host goes first', async () => {
  const slots = new ReservationSlots(2)
  const signal = AbortSignal.timeout(5_000)
  const first = await slots.take(['192.0.2.1'], signal)
  const second = await slots.take(['192.0.2.2'], signal)
  const order: string[] = []
  const waiting = ['192.0.2.1', '192.0.2.3'].map(async host => {
    const release = await slots.take([host], signal)
    order.push(host)
    release()
  })
  second()
  await waiting[1]
  assert.equal(order[0], '192.0.2.3')
  first()
  await Promise.all(waiting)
})
