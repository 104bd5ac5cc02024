/** Where the processor time of a program goes: a CPU profile of a stretch of its work, and what is at the top of it. */

import { writeFile } from 'node:fs/promises'
import { Session } from 'node:inspector/promises'
import { join } from 'node:path'
import type { Profiler } from 'node:inspector'

let session: Session | undefined

/** Begins to profile this process. */
export async function startProfile(): Promise<void> {
  session = new Session()
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.start')
}

/** Ends it, writes `<dir>/<name>.cpuprofile`, and resolves with lines to print. */
export async function stopProfile({ dir, name }: { dir: string; name: string }): Promise<string[]> {
  if (session === undefined) return []
  const { profile } = await session.post('Profiler.stop')
  session.disconnect()
  session = undefined
  await writeFile(join(dir, `${name}.cpuprofile`), JSON.stringify(profile))
  return topOf(profile)
}

function topOf({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile, most = 40): string[] {
  const byId = new Map(nodes.map(node => [node.id, node]))
  const selfUs = new Map<string, number>()
  let totalUs = 0
  for (const [i, id] of samples.entries()) {
    const { functionName, url, lineNumber } = byId.get(id)!.callFrame
    const file = url.replace(/^.*node_modules\//, '').replace(/^file:\/\//, '')
    const name = `${functionName || '(anonymous)'} ${file === '' ? '' : `${file}:${lineNumber + 1}`}`
    const us = timeDeltas[i] ?? 0
    if (functionName !== '(idle)') totalUs += us
    selfUs.set(name, (selfUs.get(name) ?? 0) + us)
  }
  const rows = [...selfUs].toSorted(([, a], [, b]) => b - a).slice(0, most)
  return rows.map(([name, us]) => `${((100 * us) / totalUs).toFixed(1).padStart(6)} %  ${name}`)
}
