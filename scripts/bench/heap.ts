/** What the heap of a program holds: the sizes of all objects, by constructor or kind. */

import { Session } from 'node:inspector/promises'

interface Snapshot {
  snapshot: { meta: { node_fields: string[]; node_types: [string[], ...unknown[]] } }
  nodes: number[]
  strings: string[]
}

const LINES = 60

/** Lines to print, the largest first. */
export async function heapByConstructor(): Promise<string[]> {
  const session = new Session()
  session.connect()
  const chunks: string[] = []
  session.on('HeapProfiler.addHeapSnapshotChunk', ({ params }) => chunks.push(params.chunk))
  await session.post('HeapProfiler.takeHeapSnapshot')
  session.disconnect()
  const sizes = sizesOf(JSON.parse(chunks.join('')) as Snapshot)
  return [...sizes]
    .toSorted(([, a], [, b]) => b.bytes - a.bytes)
    .slice(0, LINES)
    .map(
      ([name, { bytes, count }]) => `${String(bytes).padStart(12)} B ${String(count).padStart(9)} x ${name}`,
    )
}

function sizesOf({ snapshot, nodes, strings }: Snapshot): Map<string, { bytes: number; count: number }> {
  const { node_fields: fields, node_types: types } = snapshot.meta
  const [type, name, size] = ['type', 'name', 'self_size'].map(field => fields.indexOf(field)) as [
    number,
    number,
    number,
  ]
  const sizes = new Map<string, { bytes: number; count: number }>()
  for (let at = 0; at < nodes.length; at += fields.length) {
    const kind = types[0][nodes[at + type]!]!
    const isNamed = kind === 'object' || kind === 'closure' || kind === 'native'
    const key =
      isNamed || kind === 'hidden' || kind === 'code'
        ? `${kind} ${strings[nodes[at + name]!]?.slice(0, 60)}`
        : kind
    const entry = sizes.get(key) ?? { bytes: 0, count: 0 }
    entry.bytes += nodes[at + size]!
    entry.count++
    sizes.set(key, entry)
  }
  return sizes
}
