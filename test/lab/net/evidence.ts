/** What a failed scenario leaves to look at: packet captures while it runs, and the state of everything. */
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { Nat } from './nat.ts'
import { startTcpdump } from './sniffer.ts'
import { once } from '../../waits.ts'
import type { ChildProcess } from 'node:child_process'
import type { Host } from './host.ts'
import type { Namespace } from './namespaces.ts'
import type { WideArea } from './wide-area.ts'

/** Headers with all TCP options; the rest is encrypted anyway. */
const SNAP_LENGTH_BYTES = 160

interface Capture {
  readonly file: string
  readonly program: ChildProcess
}

interface Scene {
  readonly machines: readonly (Host | Nat)[]
  readonly wideArea: WideArea
}

export class Evidence {
  #scratch: Promise<string> | undefined
  readonly #captures = new Map<string, Promise<Capture>>()

  /** Resolves when the captures see packets. A machine that is captured already stays so. */
  async capture(machines: readonly (Host | Nat)[]): Promise<void> {
    this.#scratch ??= mkdtemp(join(tmpdir(), 'throughnat-lab-'))
    const scratch = await this.#scratch
    for (const machine of machines.filter(({ name }) => !this.#captures.has(name)))
      this.#captures.set(machine.name, startCapture(machine, join(scratch, `${machine.name}.pcap`)))
    await Promise.all(this.#captures.values())
  }

  async keep(directory: string, scene: Scene): Promise<void> {
    await mkdir(directory, { recursive: true })
    const captures = await Promise.all(this.#captures.values())
    const write = async (file: string, content: string) => await writeFile(join(directory, file), content)
    await Promise.all([
      write('topology.json', `${JSON.stringify(topology(scene), undefined, 2)}\n`),
      write('wide-area.network.txt', await networkState(scene.wideArea.namespace)),
      ...scene.machines.map(async ({ name, namespace }) => {
        await write(`${name}.network.txt`, await networkState(namespace))
      }),
      ...scene.machines
        .filter(machine => machine instanceof Nat)
        .flatMap(nat => [
          nat.ruleset().then(async rules => await write(`${nat.name}.nft`, rules)),
          nat.conntrack().then(async table => await write(`${nat.name}.conntrack.txt`, table)),
        ]),
      ...captures.map(async ({ file }) => await copyFile(file, join(directory, basename(file)))),
    ])
  }

  async stop(): Promise<void> {
    const captures = await Promise.allSettled(this.#captures.values())
    for (const capture of captures) {
      if (capture.status === 'rejected') continue
      const { program } = capture.value
      if (program.exitCode !== null || program.signalCode !== null) continue
      const exit = once(program, 'exit')
      program.kill('SIGTERM')
      await exit
    }
    if (this.#scratch !== undefined) await rm(await this.#scratch, { recursive: true, force: true })
  }
}

async function startCapture(machine: Host | Nat, file: string): Promise<Capture> {
  // -U: a packet is in the file as soon as it was seen, so that nothing needs flushing.
  const options = ['-U', '-Z', 'root', '-s', String(SNAP_LENGTH_BYTES), '-w', file]
  return { file, program: await startTcpdump(machine, options) }
}

function topology({ machines, wideArea }: Scene) {
  return {
    impairment: wideArea.impairment,
    machines: machines.map(machine => ({
      name: machine.name,
      namespace: machine.namespace.name,
      addresses: machine.addresses,
      behind: machine.behind?.name ?? 'wide-area',
      ...(machine instanceof Nat ? { kind: machine.kind } : {}),
    })),
  }
}

async function networkState(namespace: Namespace): Promise<string> {
  const questions = ['address', 'route', '-6 route', 'rule', 'neighbour', '-s link']
  const answers = questions.map(async question => {
    const { stdout } = await namespace.exec(['ip', ...question.split(' '), 'show'])
    return `# ip ${question}\n${stdout}\n`
  })
  return (await Promise.all(answers)).join('')
}
