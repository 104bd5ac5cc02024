/**
 * Runs entries in a process of its own, so that one that crashes or hangs does not end the others. Reports over IPC.
 * Needs `--expose-gc`.
 */

import { runEntry } from './run.ts'
import { surfaces } from './surfaces/index.ts'
import type { Order, Report } from './run.ts'

/** What the worker is started with, in JSON. */
export interface Task {
  surface: string
  orders: (Order & { entry: string })[]
}

/** What it sends. */
export type Message = { entry: string; batch: number } | { report: Report }

const { surface: name, orders } = JSON.parse(process.argv[2] ?? '') as Task
const surface = surfaces.find(it => it.name === name)
process.once('disconnect', () => process.exit())

for (const { entry: entryName, ...order } of orders) {
  const entry = surface?.entries.find(it => it.name === entryName)
  if (surface === undefined || entry === undefined) throw new Error(`There is no entry ${name}/${entryName}`)
  await send({ entry: entryName, batch: order.from })
  const report = await runEntry(surface, entry, order, batch => void send({ entry: entryName, batch }))
  await send({ report })
}
process.exit()

async function send(message: Message): Promise<void> {
  await new Promise(resolve => process.send?.(message, resolve))
}
