/**
 * The rule: 1 MiB of hostile bytes, in any message at any step, costs at most 50 ms of processor, and delays an
 * innocent by at most 50 ms.
 *
 * Machines differ, and tests share them. So the rule is held against what 1 MiB of harmless data costs the same
 * victim in the same run; and what valid messages cost, on as many streams, is not counted.
 */

import assert from 'node:assert/strict'
import { sendAll } from './attacker.ts'
import { MIB } from './table.ts'
import type { StreamMuxer } from '@libp2p/interface'
import type { Attack } from './table.ts'
import type { AttackerConnection } from './attacker.ts'
import type { Victim } from './victim.ts'
import type { Cost } from './victim-process.ts'

/** What an attack of up to 1 MiB may cost beyond valid messages, and for how long it may hold up others. */
const ATTACK_MS = 50

/** What 1 MiB of harmless data costs on the machine that the rule was made for, in milliseconds. */
const HARMLESS_MS = 30

/** What one stream costs, and the end of it, beside the messages: a measurement that is not exact. */
const NOISE_MS = 25

/** An attack costs too much if it does so each time: other programs on the machine disturb a measurement. */
const ATTEMPTS = 3

/** One way to send bytes to a victim. */
export interface Step {
  readonly victim: Victim
  /** Sends on so many streams, or sockets. Resolves when the victim has ended them, or says nothing more. */
  readonly send: (bytes: Buffer, streams: number) => Promise<unknown>
  /** A valid message, for what it costs to serve it. */
  readonly valid: Buffer
}

/** Holds attacks against the rule. */
export class Rule {
  readonly #scale: number

  private constructor(scale: number) {
    this.#scale = scale
  }

  /** Measures harmless data: 1 MiB on a stream that the victim reads and sends back. */
  static async calibrate(victim: Victim, attacker: AttackerConnection, echo: Buffer): Promise<Rule> {
    const harmless = async (): Promise<number> => {
      const { muxer } = (await attacker.connection()) as unknown as { muxer: StreamMuxer }
      const stream = await muxer.createStream()
      const bytes = Buffer.concat([echo, Buffer.alloc(MIB)])
      return (await victim.measure(async () => sendAll(stream, bytes))).cpuMs
    }
    await harmless()
    const costs = [await harmless(), await harmless(), await harmless()].toSorted((a, b) => a - b)
    return new Rule(Math.max(1, (costs[1] ?? 0) / HARMLESS_MS))
  }

  /** What attacks may cost here, compared to the machine that the rule was made for. */
  get scale(): number {
    return this.#scale
  }

  /** Runs attacks one after another. @throws {AssertionError} that lists those that cost too much */
  async hold(step: Step, attacks: readonly Attack[]): Promise<void> {
    const usual = new Map<number, number>()
    const tooMuch: string[] = []
    for (const { name, bytes, streams = 1 } of attacks) {
      if (!usual.has(streams)) usual.set(streams, await this.#usualMs(step, streams))
      const bytesMs = (ATTACK_MS * bytes.byteLength * streams) / MIB
      const allowedMs = (usual.get(streams) ?? 0) * 2 + (bytesMs + NOISE_MS) * this.#scale
      const costs: Cost[] = []
      for (let n = 0; n < ATTEMPTS && costs.length === n; n++) {
        const cost = await step.victim.measure(async () => step.send(bytes, streams))
        if (process.env['ATTACK_COSTS'] === 'print') console.log(describe(name, cost, allowedMs))
        const turnMs = (ATTACK_MS + NOISE_MS) * this.#scale
        if (cost.cpuMs > allowedMs || cost.turnMs > turnMs) costs.push(cost)
      }
      if (costs.length < ATTEMPTS) continue
      tooMuch.push(...costs.slice(-1).map(it => describe(name, it, allowedMs)))
    }
    assert.deepEqual(tooMuch, [])
  }

  async #usualMs({ victim, send, valid }: Step, streams: number): Promise<number> {
    const first = await victim.measure(async () => send(valid, streams))
    const second = await victim.measure(async () => send(valid, streams))
    return Math.min(first.cpuMs, second.cpuMs)
  }
}

function describe(name: string, { cpuMs, turnMs }: Cost, allowedMs: number): string {
  return `${name}: ${Math.round(cpuMs)} ms of ${Math.round(allowedMs)}, ${Math.round(turnMs)} ms in one turn`
}
