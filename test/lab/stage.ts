/** A stage for trials: a network with a relay, and programs on hosts behind NATs. */

import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createNetwork } from './net/network.ts'
import { Remote } from './remote.ts'
import type { Host, Nat, NatKindName, Network, NetworkInit } from './net/network.ts'
import type { Program } from './remote.ts'
import type { Cast } from './trial.ts'

/** Where evidence of failures is kept, below the directory that the tests are run from. */
const EVIDENCE = 'test-results/lab'

const RELAY_PORT = 4001

export class Stage implements AsyncDisposable {
  readonly net: Network
  readonly relay: Remote
  readonly #remotes: Remote[] = []
  readonly #addrs: string[]

  constructor(net: Network, relay: Remote, addrs: string[]) {
    this.net = net
    this.relay = relay
    this.#addrs = addrs
  }

  /** Starts the agent on a host. */
  enter(host: Host, program?: Program, args?: readonly string[]): Remote {
    const remote = new Remote(host, program, args)
    this.#remotes.push(remote)
    return remote
  }

  /** A host behind a NAT of this kind, or a public one. */
  async place(name: string, kind: NatKindName, program?: Program, args?: readonly string[]): Promise<Remote> {
    if (kind === 'none') return this.enter(await this.net.addHost(name), program, args)
    const behind = await this.net.addNat(`${name}-nat`, kind)
    return this.enter(await this.net.addHost(name, { behind }), program, args)
  }

  /** A host behind this NAT. */
  async placeBehind(name: string, behind: Nat): Promise<Remote> {
    return this.enter(await this.net.addHost(name, { behind }))
  }

  /** The relay's address of a family. */
  relayAddr(family: 4 | 6 = 4): string {
    const { address, address6 } = this.relay.host
    const addr = this.#addrs.find(it => it.includes(family === 4 ? `/ip4/${address}/` : `/ip6/${address6}/`))
    if (addr === undefined)
      throw new Error(`the relay has no IPv${family} address among ${this.#addrs.join(' ')}`)
    return addr
  }

  cast(dialer: Remote, listener: Remote, family: 4 | 6 = 4): Cast {
    return { relay: this.relay, dialer, listener, relayAddr: this.relayAddr(family) }
  }

  /** Runs something, and if it fails keeps what can explain it and says where. */
  async evident<T>(title: string, run: () => Promise<T>): Promise<T> {
    try {
      return await run()
    } catch (error) {
      const directory = join(EVIDENCE, title.replaceAll(/[^\w.-]+/g, '-'))
      await this.#keepEvidence(directory)
      const crashes = [this.relay, ...this.#remotes].flatMap(it => it.crash ?? [])
      ;(error as Error).message += [` (evidence in ${directory})`, ...crashes].join('\n')
      throw error
    }
  }

  async #keepEvidence(directory: string): Promise<void> {
    await mkdir(directory, { recursive: true })
    await this.net.keepEvidence(directory)
    for (const { host, events, stderr } of [this.relay, ...this.#remotes]) {
      const lines = events.map(event => JSON.stringify(event)).join('\n')
      await writeFile(join(directory, `${host.name}.events.ndjson`), `${lines}\n`)
      await writeFile(join(directory, `${host.name}.stderr.txt`), stderr)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const remote of [this.relay, ...this.#remotes]) remote.stop()
    await this.net.close()
  }
}

/** What the relay lets its peers take. */
export interface RelayTerms {
  /** With the limits that public relays have; otherwise none. */
  isPublic?: boolean
}

/** Makes a stage with a relay on a public host; `program` and `args` are the relay's, this project's unless given. */
export async function createStage(
  init: NetworkInit,
  program?: Program,
  args?: readonly string[],
  terms: RelayTerms = {},
): Promise<Stage> {
  const net = await createNetwork(init)
  try {
    const relay = new Remote(await net.addHost('relay'), program, args)
    const listen = [`/ip4/0.0.0.0/tcp/${RELAY_PORT}`, `/ip6/::/tcp/${RELAY_PORT}`]
    const { addrs } = await relay.do<{ addrs: string[] }>('relay', { listen, ...terms })
    return new Stage(net, relay, addrs)
  } catch (error) {
    await net.close()
    throw error
  }
}
