/** The lab tests itself: delay, jitter and loss, cables, programs, and that nothing of a network stays behind. */
import assert from 'node:assert/strict'
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { describe, it } from 'node:test'
import { processesInside, sweepNamespaces } from './net/namespaces.ts'
import { createNetwork } from './net/network.ts'
import { Prober } from './net/prober.ts'
import { once } from '../waits.ts'
import type { Host } from './net/network.ts'

/** The wide area's own share of a round trip, on a machine that has other things to do. */
const TOLERANCE_MS = 1.5

describe('The wide area', () => {
  it('delays each crossing by what it was told, in both families', async () => {
    await using net = await createNetwork({ delayMs: 20 })
    const [near, far] = await Promise.all([net.addHost('near'), net.addHost('far')])
    for (const address of far.addresses) assertDelayed((await ping(near, address)).fastestMs, 40)
  })

  it('changes its delay while it runs, for all or for one site', async () => {
    await using net = await createNetwork({ delayMs: 20 })
    const [near, far] = await Promise.all([net.addHost('near'), net.addHost('far')])
    await net.impair({ delayMs: 5 })
    assertDelayed((await ping(near, far.address)).fastestMs, 10)
    await far.impair({ delayMs: 10 })
    assertDelayed((await ping(near, far.address)).fastestMs, 30)
    await net.impair({})
    assertDelayed((await ping(near, far.address6)).fastestMs, 20)
  })

  it('starts to delay when it did not before', async () => {
    await using net = await createNetwork()
    const [near, far] = await Promise.all([net.addHost('near'), net.addHost('far')])
    assertDelayed((await ping(near, far.address)).fastestMs, 0)
    await net.impair({ delayMs: 5 })
    assertDelayed((await ping(near, far.address)).fastestMs, 10)
  })

  it('spreads arrivals by the jitter without changing their order', async () => {
    await using net = await createNetwork({ delayMs: 5, jitterMs: 20 })
    const [near, far] = await Promise.all([net.addHost('near'), net.addHost('far')])
    const { fastestMs, slowestMs, order } = await ping(near, far.address, { count: 200 })
    assert.ok(fastestMs > 10 && slowestMs - fastestMs > 10, `${fastestMs} to ${slowestMs} ms`)
    assert.deepEqual(
      order,
      [...order].sort((a, b) => a - b),
    )
  })

  it('loses the share of packets that it was told, at each crossing', async () => {
    await using net = await createNetwork({ lossPercent: 20 })
    const [near, far] = await Promise.all([net.addHost('near'), net.addHost('far')])
    const { order } = await ping(near, far.address, { count: 300 })
    // 64 % come back; five standard deviations are 14 %.
    assert.ok(order.length > 150 && order.length < 234, `${order.length} of 300 came back`)
  })

  it('passes large segments whole, and only cuts them up where it may lose some', async () => {
    await using net = await createNetwork({ delayMs: 1 })
    const [near, far] = await Promise.all([net.addHost('near'), net.addHost('far')])
    assert.ok((await packetSize(near, far)) > 3000)
    await net.impair({ delayMs: 1, lossPercent: 0.001 })
    assert.ok((await packetSize(near, far)) < 1515)
  })
})

describe('A cable', () => {
  for (const place of ['at a public host', 'at a host on a LAN', 'at a NAT'] as const) {
    it(`that is pulled ${place} cuts it off until it is put back`, async () => {
      await using net = await createNetwork()
      const relay = await net.addHost('relay')
      const home = await net.addNat('home', 'eim-apdf-drop')
      const inside = await net.addHost('inside', { behind: home })
      const machine = { 'at a public host': relay, 'at a host on a LAN': inside, 'at a NAT': home }[place]
      await ping(inside, relay.address, { count: 1 })
      await machine.setLink('down')
      await assert.rejects(ping(inside, relay.address, { count: 1 }), { exitCode: 1 })
      await machine.setLink('up')
      // Who looked for a neighbour in vain repeats its question after a second (ARP).
      assert.equal((await ping(inside, relay.address, { count: 1, waitSeconds: 3 })).order.length, 1)
    })
  }
})

describe('A network', () => {
  it('runs beside another one with the same names and addresses', async () => {
    await using one = await createNetwork()
    await using other = await createNetwork()
    for (const net of [one, other]) {
      const [near, far] = [await net.addHost('near'), await net.addHost('far')]
      assert.equal((await ping(near, far.address, { count: 1 })).order.length, 1)
    }
  })

  it('takes its programs and namespaces with it when it closes, however often', async () => {
    const net = await createNetwork({ delayMs: 1 })
    const host = await net.addHost('host')
    // The second sleep is a grandchild that nobody told to end.
    const program = host.spawn('sh', ['-c', 'sleep 300 & echo started; sleep 300'])
    await once(program.stdout, 'data')
    const names = await namespacesOf(process.pid)
    const pids = processesInside(names)
    assert.equal(pids.length, 4, 'a shell, two sleeps and the forwarder')
    await Promise.all([net.close(), net.close()])
    await net.close()
    assert.equal(program.signalCode, 'SIGKILL')
    assert.deepEqual(await Promise.all(pids.map(isAlive)), [false, false, false, false])
    assert.deepEqual(await namespacesOf(process.pid), [])
  })

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`goes with its owner on ${signal}, which ends the owner as it always does`, async () => {
      const owner = await startOwner()
      owner.process.kill(signal)
      await once(owner.process, 'exit')
      assert.equal(owner.process.signalCode, signal)
      assert.deepEqual(await namespacesOf(owner.pid), [])
    })
  }

  it('whose owner was killed leaves no program running, and the next sweep takes its namespaces', async () => {
    const owner = await startOwner()
    owner.process.kill('SIGKILL')
    await once(owner.process, 'exit')
    const names = await namespacesOf(owner.pid)
    assert.equal(names.length, 2)
    const bystander = await createNetwork()
    const swept = sweepNamespaces()
    assert.deepEqual(
      names.filter(name => !swept.includes(name)),
      [],
    )
    assert.deepEqual(await namespacesOf(owner.pid), [])
    assert.equal((await namespacesOf(process.pid)).length, 1, 'a living owner keeps its own')
    await bystander.close()
  })

  it('leaves evidence: topology, rules, connections, routes and captures', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'throughnat-evidence-'))
    await using net = await createNetwork()
    const relay = await net.addHost('relay')
    const home = await net.addNat('home', 'eim-adf')
    const inside = await net.addHost('inside', { behind: home })
    await net.capture([relay])
    const [prober, listener] = [new Prober(inside), new Prober(relay)]
    const port = await listener.listen()
    await prober.dial({ address: relay.address, port })
    await net.keepEvidence(directory)
    const files = await readdir(directory)
    for (const file of [
      'topology.json',
      'home.nft',
      'home.conntrack.txt',
      'home.pcap',
      'relay.pcap',
      'inside.network.txt',
    ])
      assert.ok(files.includes(file), file)
    assert.match(await readFile(join(directory, 'home.conntrack.txt'), 'utf8'), /ESTABLISHED/)
    const { stdout } = await relay.exec('tcpdump', ['-n', '-r', join(directory, 'home.pcap')])
    assert.match(
      stdout,
      new RegExp(`${home.externalAddress}\\.\\d+ > ${relay.address}\\.${port}: Flags \\[S\\]`),
    )
    await rm(directory, { recursive: true })
  })

  it('says which program failed, how, and with what words', async () => {
    await using net = await createNetwork()
    const host = await net.addHost('host')
    await assert.rejects(host.exec('sh', ['-c', 'echo because >&2; exit 3']), {
      name: 'LabCommandError',
      exitCode: 3,
      message: /sh -c .*: exit code 3\nbecause/,
    })
    await assert.rejects(host.exec('sleep', ['60'], { timeoutMs: 50 }), { message: /killed by SIGKILL/ })
    await assert.rejects(net.addHost('host'), { message: /already has a machine called host/ })
  })
})

interface PingResult {
  readonly fastestMs: number
  readonly slowestMs: number
  /** Sequence numbers of what came back. */
  readonly order: number[]
}

async function ping(
  from: Host,
  address: string,
  { count = 10, waitSeconds = 0.3 } = {},
): Promise<PingResult> {
  const { stdout } = await from.exec('ping', [
    '-n',
    '-c',
    `${count}`,
    '-i',
    '0.004',
    '-W',
    `${waitSeconds}`,
    address,
  ])
  const replies = [...stdout.matchAll(/icmp_seq=(\d+) .*time=([\d.]+) ms/g)]
  const times = replies.map(([, , time]) => Number(time))
  return {
    fastestMs: Math.min(...times),
    slowestMs: Math.max(...times),
    order: replies.map(([, sequence]) => Number(sequence)),
  }
}

/** The mean size of the packets in which a few megabytes arrive. */
async function packetSize(from: Host, to: Host): Promise<number> {
  const receive = `
import socket
server = socket.create_server(("", 5000))
print("ready", flush=True)
connection = server.accept()[0]
while connection.recv(65536): pass`
  const send = `
import socket
socket.create_connection(("${to.address}", 5000)).sendall(bytes(4_000_000))`
  const before = await received(to)
  const receiver = to.spawn('python3', ['-c', receive])
  await once(receiver.stdout, 'data')
  const exit = once(receiver, 'exit')
  await from.exec('python3', ['-c', send])
  await exit
  const after = await received(to)
  return (after.bytes - before.bytes) / (after.packets - before.packets)
}

async function received(host: Host): Promise<{ bytes: number; packets: number }> {
  const { stdout } = await host.exec('ip', ['-s', '-j', 'link', 'show', 'eth0'])
  const [device] = JSON.parse(stdout) as { stats64: { rx: { bytes: number; packets: number } } }[]
  assert.ok(device)
  return device.stats64.rx
}

function assertDelayed(measuredMs: number, expectedMs: number): void {
  assert.ok(
    measuredMs >= expectedMs && measuredMs < expectedMs + TOLERANCE_MS,
    `${measuredMs} ms instead of ${expectedMs} ms`,
  )
}

/** Another process that owns a network with one machine and a program in it. */
async function startOwner() {
  const program = `
    const { createNetwork } = await import(${JSON.stringify(import.meta.resolve('./net/network.ts'))})
    const net = await createNetwork({ delayMs: 1 })
    const host = await net.addHost('host')
    host.spawn('sleep', ['300'])
    console.log('ready')
  `
  const args = ['--no-warnings', '--input-type=module-typescript', '--eval', program]
  const owner = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(createInterface({ input: owner.stdout }), 'line', { signal: AbortSignal.timeout(10_000) })
  assert.ok(owner.pid !== undefined)
  return { process: owner, pid: owner.pid }
}

async function namespacesOf(pid: number): Promise<string[]> {
  return (await readdir('/run/netns')).filter(name => name.startsWith(`tn${pid}x`))
}

/** A zombie, which waits for whatever is pid 1 here, is dead. */
async function isAlive(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => 'State:\tX')
  return !/^State:\t[XZ]/m.test(status)
}
