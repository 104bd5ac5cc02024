/**
 * A machine of the lab: a namespace with one uplink, in which programs run.
 *
 * No program outlives the network: each is killed by the kernel when this process dies (PR_SET_PDEATHSIG), and
 * `stop` kills the rest by pid.
 */
import { spawn } from 'node:child_process'
import { run } from './command.ts'
import { once } from '../../waits.ts'
import type { ChildProcess, ChildProcessWithoutNullStreams, SpawnOptions } from 'node:child_process'
import type { CommandOptions, CommandOutput } from './command.ts'
import type { Impairment } from './forwarder.ts'
import type { Namespace } from './namespaces.ts'
import type { Attachment, LinkState } from './segment.ts'

export interface MachineInit {
  readonly name: string
  readonly namespace: Namespace
  /** The device of the uplink. */
  readonly device: string
  readonly attachment: Attachment
}

export class Machine {
  readonly name: string
  readonly namespace: Namespace
  readonly device: string
  #attachment: Attachment
  readonly #children = new Set<ChildProcess>()

  constructor({ name, namespace, device, attachment }: MachineInit) {
    this.name = name
    this.namespace = namespace
    this.device = device
    this.#attachment = attachment
  }

  /** @throws {Error} when the machine has no IPv4. */
  get address(): string {
    return present(this.#attachment.address, `${this.name} has no IPv4 address`)
  }

  /** The machine's global IPv6 address. @throws {Error} when it has none. */
  get address6(): string {
    return present(this.#attachment.address6, `${this.name} has no IPv6 address`)
  }

  /** All addresses of the uplink, IPv4 first. */
  get addresses(): readonly string[] {
    const { address, address6 } = this.#attachment
    return [address, address6].filter(each => each !== undefined)
  }

  /**
   * Runs a program inside, to its end.
   *
   * @throws {LabCommandError} when it does not end with 0 within `timeoutMs` (10 s unless told).
   */
  async exec(
    program: string,
    args: readonly string[] = [],
    options?: CommandOptions,
  ): Promise<CommandOutput> {
    return await run(this.#contain([program, ...args]), options)
  }

  /** Starts a program inside. The child's pid is that of the program itself. */
  spawn(program: string, args?: readonly string[]): ChildProcessWithoutNullStreams
  spawn(program: string, args: readonly string[], options: SpawnOptions): ChildProcess
  spawn(program: string, args: readonly string[] = [], options: SpawnOptions = {}): ChildProcess {
    const [command = '', ...rest] = this.#contain([program, ...args])
    const child = spawn(command, rest, options)
    this.#children.add(child)
    child.once('exit', () => this.#children.delete(child))
    return child
  }

  /** Pulls the machine's cable or puts it back. Addresses and routes stay, connections may survive. */
  async setLink(state: LinkState): Promise<void> {
    await this.#attachment.setLink(state)
  }

  /** Adds delay, jitter and loss to what crosses the wide area from the machine's site or to it. */
  async impair(impairment: Partial<Impairment>): Promise<void> {
    await this.#attachment.impair({ delayMs: 0, jitterMs: 0, lossPercent: 0, ...impairment })
  }

  /** Kills what `spawn` has started, and resolves when it is gone. */
  async stop(): Promise<void> {
    const running = [...this.#children].filter(child => child.pid !== undefined)
    const exits = running.map(async child => await once(child, 'exit'))
    for (const child of running) child.kill('SIGKILL')
    await Promise.all(exits)
  }

  /** Takes the machine off what it is plugged into, and plugs it in elsewhere: other addresses, another router. */
  protected async replug(attach: () => Promise<Attachment>): Promise<void> {
    await this.namespace.ip([`link del ${this.device}`])
    this.#attachment = await attach()
  }

  #contain(command: readonly string[]): string[] {
    return ['setpriv', '--pdeathsig', 'KILL', '--', ...this.namespace.enter(command)]
  }
}

function present<T>(value: T | undefined, otherwise: string): T {
  if (value === undefined) throw new Error(otherwise)
  return value
}
