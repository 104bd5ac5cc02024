/** The interoperability matrix as data: who takes which part, behind which NATs, and what must come of it. */

import { appendFileSync, mkdirSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { TrialResult } from '../lab/trial.ts'
import type { NatKindName } from '../lab/net/network.ts'
import type { Implementation } from './programs.ts'

/** Who takes which part: the initiator dials the circuit, the responder has reserved at the relay. */
export interface Parts {
  initiator: Implementation
  responder: Implementation
  relay: Implementation
}

/** What the two are behind. */
export interface Nats {
  initiatorNat: NatKindName
  responderNat: NatKindName
}

/** One line of the results. */
export type Cell = Parts & Nats & TrialResult

/** One line of JSON a cell; scripts/interop-report.ts makes docs/interop.md of it. */
export const RESULTS = 'test-results/interop.ndjson'

/** The pairs of NATs; the names are those of test/lab. */
export const natPairs: readonly Nats[] = [
  { initiatorNat: 'eim-apdf-drop', responderNat: 'eim-apdf-drop' },
  { initiatorNat: 'none', responderNat: 'eim-apdf-drop' },
  { initiatorNat: 'eim-apdf-drop', responderNat: 'none' },
]

const current: readonly Implementation[] = ['ours', 'go', 'rust', 'stock']

/** Every cast: the current releases in all parts, and the old one on either side. */
export const casts: readonly Parts[] = [
  ...current.flatMap(relay =>
    current.flatMap(responder => current.map(initiator => ({ initiator, responder, relay }))),
  ),
  ...(['ours', 'go', 'go-0.40'] as const).flatMap(other => [
    { initiator: 'go-0.40' as const, responder: other, relay: 'ours' as const },
    ...(other === 'go-0.40'
      ? []
      : [{ initiator: other, responder: 'go-0.40' as const, relay: 'ours' as const }]),
  ]),
]

/**
 * Tells whether these two must end direct: this project's peer with anything that can punch, itself included. The others are measured beside it. A stock node
 * cannot punch TCP (https://github.com/libp2p/js-libp2p/issues/2620), but dials our public responder. Before 0.41 go-libp2p as responder speaks first where
 * the initiator does, too; go-libp2p of today does not get direct with it either.
 */
export function mustEndDirect({ initiator, responder }: Parts, { responderNat }: Nats): boolean {
  if (initiator === 'stock' && responder === 'ours') return responderNat === 'none'
  const hasOurs = initiator === 'ours' || responder === 'ours'
  return hasOurs && initiator !== 'stock' && responder !== 'stock' && responder !== 'go-0.40'
}

export function record(cell: Cell): void {
  mkdirSync(dirname(RESULTS), { recursive: true })
  appendFileSync(RESULTS, `${JSON.stringify(cell)}\n`)
}

/** The last result of each cell. */
export function readResults(path: string = RESULTS): Cell[] {
  const lines = readFileSync(path, 'utf8').trim().split('\n')
  const cells = lines.map(line => JSON.parse(line) as Cell)
  return [...new Map(cells.map(cell => [titleOf(cell, cell), cell])).values()]
}

export function titleOf(parts: Parts, nats: Nats): string {
  return `${parts.initiator} behind ${nats.initiatorNat} to ${parts.responder} behind ${nats.responderNat} over ${parts.relay}`
}
