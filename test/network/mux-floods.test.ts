/**
 * Floods of yamux frames, against a relay and a peer, as the side that is dialled and as the one that dials.
 *
 * The cost of 1 MiB is compared with that of 1 MiB of data in the same run: the victim shares its machine.
 */

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { FLOODS } from './mux/frames.ts'
import { Stage } from './mux/stage.ts'
import type { Outcome, Role } from './mux/stage.ts'

const LIMIT = { timeout: 90_000 }
const MIB = 1024 * 1024

/** What 1 MiB of frames may take beyond 1 MiB of data, in milliseconds of the victim's processor. */
const EXTRA_CPU_MS = 75

/**
 * The same for streams that bring data: 512 of them, and 2,048 that are open, are not told from a page that is
 * left, and from a busy one.
 */
const EXTRA_STREAMS_CPU_MS = 600

/**
 * The same for messages of Noise with a frame of a byte, of which 1 MiB has 34,000: each is decrypted by itself, and they
 * are not told from key strokes.
 */
const EXTRA_MESSAGES_CPU_MS = 250

/** The longest that an innocent may wait, in milliseconds, on a machine that does other work as well. */
const LONGEST_DELAY_MS = 600

/** What memory may grow by, in MiB. Without bounds it is 100 for pings, and 450 for new streams. */
const GROWTH_MIB = 48

/** The same for streams that bring data. */
const STREAMS_GROWTH_MIB = 40

/** Floods of data in small frames: they cost little more than data, and the connection stays. */
const isHarmless = (name: string): boolean => /^data of a byte|^messages of (?:a frame|100)/.test(name)

const bringsStreams = (name: string): boolean =>
  /^new streams with a byte|^new streams that choose a protocol/.test(name)

function extraOf(name: string): number {
  if (name === 'messages of a frame of a byte') return EXTRA_MESSAGES_CPU_MS
  return bringsStreams(name) ? EXTRA_STREAMS_CPU_MS : EXTRA_CPU_MS
}

/** Floods that bring about answers, which pile up if nobody reads them. */
const bringsAnswers = (name: string): boolean => /^pings$|^new streams|^one stream|echoes/.test(name)

const roles: readonly Role[] = ['relay', 'listener', 'dialer']

for (const role of roles)
  describe(`1 MiB of frames to a ${role} costs little more than data:`, { timeout: 600_000 }, () => {
    let stage: Stage
    let data: Outcome
    before(async () => {
      stage = await Stage.start(role)
      const flood = { name: 'data', bytes: MIB, isReading: true }
      // compiles what the measured one uses
      await stage.flood(flood, { mayStay: true })
      data = await stage.flood(flood, { mayStay: true })
    })
    after(() => stage.stop())

    for (const name of Object.keys(FLOODS).filter(it => it !== 'data'))
      for (const isReading of bringsAnswers(name) ? [true, false] : [true]) {
        const mayStay = isHarmless(name)
        const outcomeOf = mayStay ? 'and the connection stays' : 'and the connection ends'
        it(`${name}${isReading ? '' : ', whose answers are not read'}, ${outcomeOf}`, LIMIT, async t => {
          const outcome = await stage.flood({ name, bytes: MIB, isReading }, { mayStay })
          const { cpuMs, innocentMs, growthMiB, isOpen } = outcome
          t.diagnostic(
            `${cpuMs.toFixed(0)} ms of processor time (data: ${data.cpuMs.toFixed(0)}), ${innocentMs.toFixed(0)} ms for an innocent (data: ${data.innocentMs.toFixed(0)}), ${growthMiB.toFixed(0)} MiB`,
          )
          assert.equal(isOpen, mayStay)
          const extraMs = extraOf(name)
          assert.ok(cpuMs < data.cpuMs + extraMs, `${cpuMs} ms of processor time`)
          assert.ok(innocentMs < data.innocentMs + LONGEST_DELAY_MS, `${innocentMs} ms`)
          const mostMiB = bringsStreams(name) ? STREAMS_GROWTH_MIB : GROWTH_MIB
          assert.ok(growthMiB < mostMiB, `${growthMiB} MiB`)
        })
      }
  })
