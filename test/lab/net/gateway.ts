/**
 * miniupnpd on a NAT of the lab: a router that maps ports when a host asks it to, as those at home do.
 *
 * Its rules live in a table of their own beside the NAT's, which lets through whatever has been DNATed. It speaks
 * NAT-PMP and PCP on one port, and both or neither; the one that is not wanted is cut off by the version in its first
 * byte (RFC 6886 section 3.1, RFC 6887 section 7.1).
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { inTime, once } from '../../waits.ts'
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import type { Nat } from './nat.ts'

export interface GatewayInit {
  /** @default false */
  readonly upnp?: boolean
  /** @default false */
  readonly natPmp?: boolean
  /** @default false */
  readonly pcp?: boolean
}

/** Where descriptions and control are. Each router chooses; a fixed one can be let through the NAT's filter. */
const HTTP_PORT = 5000

const TABLE = 'mapped'

const TABLE_RULES = `
table inet ${TABLE} {
  chain forward {
    type filter hook forward priority filter + 10; policy accept
    jump allowed
  }
  chain prerouting {
    type nat hook prerouting priority dstnat - 10; policy accept
    jump redirected
  }
  chain postrouting {
    type nat hook postrouting priority srcnat - 10; policy accept
    jump masqueraded
  }
  chain allowed { }
  chain redirected { }
  chain masqueraded { }
}
`

/** Starts the gateway, with one protocol at least: miniupnpd does not run without. Resolves once it serves. It ends with its NAT at the latest. */
export async function startGateway(nat: Nat, init: GatewayInit): Promise<Gateway> {
  await nat.namespace.nft(`${TABLE_RULES}${admission(init)}`)
  const directory = await mkdtemp(join(tmpdir(), 'throughnat-gateway-'))
  const config = join(directory, 'miniupnpd.conf')
  await writeFile(config, configuration(init))
  const gateway = new Gateway(nat, directory, config)
  try {
    await gateway.start()
    return gateway
  } catch (error) {
    await gateway[Symbol.asyncDispose]()
    throw error
  }
}

export class Gateway implements AsyncDisposable {
  readonly #nat: Nat
  readonly #directory: string
  readonly #config: string
  #program: ChildProcessWithoutNullStreams | undefined

  constructor(nat: Nat, directory: string, config: string) {
    this.#nat = nat
    this.#directory = directory
    this.#config = config
  }

  /** The rules for mapped ports, one a line. */
  async mappings(): Promise<string[]> {
    const { stdout } = await this.#nat.namespace.exec(['nft', 'list', 'chain', 'inet', TABLE, 'redirected'])
    return stdout.split('\n').filter(line => line.includes('dnat'))
  }

  async start(): Promise<void> {
    const pid = join(this.#directory, 'miniupnpd.pid')
    // -d: stays in the foreground and logs to stderr
    const program = this.#nat.spawn('miniupnpd', ['-d', '-f', this.#config, '-P', pid])
    this.#program = program
    await inTime(this.#serving(program), `miniupnpd on ${this.#nat.name} serves`)
    program.stderr.resume()
    program.stdout.resume()
  }

  async #serving(program: ChildProcessWithoutNullStreams): Promise<void> {
    let said = ''
    for await (const line of createInterface({ input: program.stderr })) {
      said += `${line}\n`
      // the last thing that it does before it serves
      if (line.includes('Listening for NAT-PMP/PCP') || line.includes('HTTP listening on port')) return
    }
    throw new Error(`miniupnpd on ${this.#nat.name} ended:\n${said}`)
  }

  /** Kills it and forgets all mappings, as when the router loses its power. */
  async stop(): Promise<void> {
    const program = this.#program
    this.#program = undefined
    if (program === undefined || program.exitCode !== null || program.signalCode !== null) return
    const exit = once(program, 'exit')
    program.kill('SIGKILL')
    await exit
    await this.#nat.namespace.nft(
      ['allowed', 'redirected', 'masqueraded'].map(it => `flush chain inet ${TABLE} ${it}\n`).join(''),
    )
  }

  async restart(): Promise<void> {
    await this.stop()
    await this.start()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
    await rm(this.#directory, { recursive: true, force: true })
  }
}

/** The NAT's own filter takes nothing that is addressed to the router. */
function admission({ upnp = false, natPmp = false, pcp = false }: GatewayInit): string {
  const accept = (match: string): string => `insert rule inet filter input iifname "lan0" ${match} accept\n`
  // after the eight bytes of the UDP header
  const version = (number: number): string => accept(`udp dport 5351 @th,64,8 ${number}`)
  return [
    ...(upnp ? [accept('udp dport 1900'), accept(`tcp dport ${HTTP_PORT}`)] : []),
    ...(natPmp ? [version(0)] : []),
    ...(pcp ? [version(2)] : []),
  ].join('')
}

function configuration({ upnp = false, natPmp = false, pcp = false }: GatewayInit): string {
  return [
    'ext_ifname=wan0',
    'listening_ip=lan0',
    `http_port=${HTTP_PORT}`,
    `enable_upnp=${upnp ? 'yes' : 'no'}`,
    `enable_natpmp=${natPmp || pcp ? 'yes' : 'no'}`,
    'ipv6_disable=yes',
    // a host can map ports to itself alone
    'secure_mode=yes',
    `upnp_table_name=${TABLE}`,
    `upnp_nat_table_name=${TABLE}`,
    'upnp_forward_chain=allowed',
    'upnp_nat_chain=redirected',
    'upnp_nat_postrouting_chain=masqueraded',
    'uuid=00000000-0000-4000-8000-000000000001',
    'allow 1024-65535 0.0.0.0/0 1024-65535',
    'deny 0-65535 0.0.0.0/0 0-65535',
    '',
  ].join('\n')
}
