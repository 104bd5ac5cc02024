/**
 * Keeps V8's young generation small, so that buffers are freed soon after use.
 *
 * V8 frees a short-lived buffer when it collects the young generation, which it does when that is full. The
 * 64 KiB of a buffer are stored elsewhere and do not fill it. By default the young generation grows to 16
 * MiB. A tunnel fills that so rarely that 64 MiB of dead buffers accumulate first. V8 then collects the whole
 * heap: 20 times per second, which took two fifths of the processor time of a direct tunnel (`npm run
 * bench:tunnel`, docs/benchmarks.md). At its first size, 1 MiB, the young generation is collected often, at
 * almost no cost, and the whole heap rarely.
 *
 * test/unit/src/cli/runtime/v8-heap.test.ts shows when V8 no longer needs this.
 */

import { setFlagsFromString } from 'node:v8'

/** Affects the whole process from now on. So programs call it, and libraries must not. */
export function keepYoungGenerationSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1')
}
