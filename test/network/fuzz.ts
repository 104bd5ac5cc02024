/** Frames that are nearly right, the same for the same seed. */

/** A number from 0 up to, and not including, `below`. */
export type Random = (below: number) => number

/** A generator of numbers that its seed determines (mulberry32). */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  return below => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below)
  }
}

const garbage = (random: Random, length: number): Buffer =>
  Buffer.from(Array.from({ length }, () => random(256)))

type Mutation = (frame: Buffer, random: Random) => Buffer

const mutations: readonly Mutation[] = [
  frame => frame,
  (frame, random) => {
    const flipped = Buffer.from(frame)
    for (let n = random(3); n >= 0; n--) {
      const at = random(flipped.byteLength)
      flipped[at] = (flipped[at] ?? 0) ^ (1 << random(8))
    }
    return flipped
  },
  (frame, random) => frame.subarray(0, random(frame.byteLength)),
  (frame, random) => Buffer.concat([frame, garbage(random, random(100))]),
  // the length agrees, and what it counts goes on
  (frame, random) => {
    const body = Buffer.concat([frame.subarray(1), garbage(random, random(40))])
    return Buffer.concat([Buffer.of(Math.min(127, body.byteLength)), body])
  },
  (frame, random) => Buffer.concat([Buffer.of(random(128)), frame.subarray(1)]),
  // a length of up to 35 bits
  (frame, random) =>
    Buffer.concat([Buffer.from(garbage(random, 4).map(byte => byte | 128)), Buffer.of(random(128)), frame]),
  (_, random) => garbage(random, 1 + random(200)),
  (_, random) => {
    const body = garbage(random, random(128))
    return Buffer.concat([Buffer.of(body.byteLength), body])
  },
]

/** One of the frames, changed in one way or two. */
export function fuzzed(random: Random, valid: readonly Buffer[]): Buffer {
  const mutate = (frame: Buffer): Buffer => mutations[random(mutations.length)]?.(frame, random) ?? frame
  const frame = mutate(valid[random(valid.length)] ?? Buffer.alloc(0))
  return random(3) === 0 && frame.byteLength > 0 ? mutate(frame) : frame
}
