/**
 * Lets each dial choose which encryptions it proposes, and in which order.
 *
 * Fault of `libp2p` 3.3.11: the upgrader proposes all encryptions of the node, on every transport in the order in which
 * they are configured (upgrader.ts, `_encryptOutbound`). TLS is the better choice on a TCP socket, Noise elsewhere.
 *
 * Upstream issue: not reported.
 */

import { shapeCheck } from '../expect-shape.ts'
import type { ConnectionEncrypter, MessageStream, Upgrader } from '@libp2p/interface'

/** An option of `upgradeOutbound` of a patched upgrader. */
export interface ProposalOptions {
  /** The ids of the encryptions to propose, in order. @default all of the node */
  encryptions?: readonly string[]
}

interface UpgraderInternals {
  readonly connectionEncrypters: ReadonlyMap<string, ConnectionEncrypter>
  _encryptOutbound: (
    this: UpgraderInternals,
    connection: MessageStream,
    options: ProposalOptions,
  ) => Promise<unknown>
}

const assertShape = shapeCheck('libp2p', { connectionEncrypters: 'object', _encryptOutbound: 'function' })

const patched = new WeakSet<Upgrader>()

/** Patches an upgrader. A second call does nothing. @throws {UpstreamChangedError} */
export function choosesProposals(upgrader: Upgrader): void {
  if (patched.has(upgrader)) return
  assertShape(upgrader)
  patched.add(upgrader)
  const internals = upgrader as unknown as UpgraderInternals
  const { _encryptOutbound: encryptOutbound } = internals
  internals._encryptOutbound = async (connection, options) => {
    const { encryptions } = options
    if (encryptions === undefined) return encryptOutbound.call(internals, connection, options)
    const all = internals.connectionEncrypters
    const proposed = encryptions.flatMap(name => {
      const encrypter = all.get(name)
      return encrypter === undefined ? [] : [[name, encrypter] as const]
    })
    const view = Object.create(internals, { connectionEncrypters: { value: new Map(proposed) } }) as object
    return encryptOutbound.call(view as UpgraderInternals, connection, options)
  }
}
