/** A relay with two peers that mean no harm, whatever others do to it. */

import assert from 'node:assert/strict'
import { startRelay } from './circuit-stage.ts'
import { openCircuit, openStreams, startMember } from './hop-client.ts'
import { until } from '../waits.ts'
import type { StreamMessageEvent } from '@libp2p/interface'
import type { TestContext } from 'node:test'
import type { Relay, RelayInit } from '../../relay/index.ts'
import type { RawCircuit } from './hop-client.ts'

/** Two peers that have a circuit and mean no harm. */
export class Innocents {
  #bytes = 0
  readonly #circuit: RawCircuit

  constructor(circuit: RawCircuit) {
    this.#circuit = circuit
    circuit.responder.addEventListener('message', ({ data }: StreamMessageEvent) => {
      this.#bytes += data.byteLength
    })
  }

  /** Asserts that their circuit carries data. */
  async carry(): Promise<void> {
    const wanted = this.#bytes + 1000
    this.#circuit.initiator.send(Buffer.alloc(1000))
    await until(() => this.#bytes === wanted, 'the innocent circuit carries data')
  }
}

/** A relay and a pair of innocents. */
export async function startStage(
  t: TestContext,
  init: RelayInit = {},
): Promise<{ relay: Relay; innocents: Innocents }> {
  const relay = await startRelay(t, init)
  const [from, to] = [await startMember(t, relay), await startMember(t, relay)]
  return { relay, innocents: new Innocents(await openCircuit(from, to)) }
}

/** Asserts that nothing is held but what the innocents have: two reservations and one circuit of two streams. */
export async function assertNothingHeld(relay: Relay, innocents: Innocents): Promise<void> {
  await until(() => relay.libp2p.getConnections().length === 2, 'the hostile have gone')
  await until(() => openStreams(relay).length === 2, 'no other stream is open')
  assert.deepEqual([relay.reservations.size, relay.circuits], [2, 1])
  await innocents.carry()
}
