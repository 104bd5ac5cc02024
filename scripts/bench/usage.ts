/** What a process takes of the processor and of memory, as it measures itself. */

import { readFileSync, writeFileSync } from 'node:fs'

/** Since the start of the process, but for the memory. */
export interface Usage {
  /** Processor time of all threads, user and system, in milliseconds. */
  cpuMs: number
  /** Resident memory now, and the most since the last mark. */
  rssBytes: number
  peakRssBytes: number
  heapUsedBytes: number
  /** Buffers and what else V8 does not hold itself. */
  externalBytes: number
}

/** Forgets the peak so far. */
export function markUsage(): Usage {
  // the kernel's own mark; where there is none, or it may not be reset, the peak is that of the process
  try {
    writeFileSync('/proc/self/clear_refs', '5')
  } catch {}
  return usage()
}

/** Measures. */
export function usage(): Usage {
  const { user, system } = process.cpuUsage()
  const { rss, heapUsed, external } = process.memoryUsage()
  return {
    cpuMs: (user + system) / 1000,
    rssBytes: rss,
    peakRssBytes: peakRss(),
    heapUsedBytes: heapUsed,
    externalBytes: external,
  }
}

function peakRss(): number {
  try {
    const [, kib] = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
    if (kib !== undefined) return Number(kib) * 1024
  } catch {}
  return process.resourceUsage().maxRSS * 1024
}

/** Measures when garbage has been collected; needs `--expose-gc`. */
export async function settledUsage(): Promise<Usage> {
  for (let i = 0; i < 3; i++) {
    globalThis.gc?.()
    // finalizers of sockets and buffers run between collections
    await new Promise(resolve => setTimeout(resolve, 100))
  }
  return usage()
}
