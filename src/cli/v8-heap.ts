/**
 * Keeps the memory of young objects small, so that buffers are freed soon after their bytes have gone.
 *
 * V8 frees a short-lived buffer when it next collects the young objects, which is when they have filled their memory; the 64 KiB of a buffer lie elsewhere and do not fill it. By default that memory
 * grows to 16 MiB, which a tunnel fills so seldom that 64 MiB of dead buffers come together first, and then V8 goes through the whole heap: 20 times a second, for two fifths of the processor time that a
 * direct tunnel took (`npm run bench:tunnel`, docs/benchmarks.md). Kept at its first size, 1 MiB, it is collected often, at next to no cost, and the whole heap rarely.
 *
 * test/unit/src/cli/v8-heap.test.ts tells when V8 does better by itself.
 */

import { setFlagsFromString } from 'node:v8'

/** Effective from now on, for the whole process: for programs, and not for what others embed. */
export function keepYoungGenerationSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1')
}
