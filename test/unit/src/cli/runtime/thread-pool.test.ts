/** Names are found while a disk hangs. A file that hangs is a pipe with a name here, which waits for a writer. */

import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { once } from '../../../../waits.ts'
import type { Readable } from 'node:stream'
import type { TestContext } from 'node:test'

const START = import.meta.resolve('../../../../../src/cli/start.ts')

/** Whether a program whose files hang, so many of them, finds a name. */
async function findsName(
  t: TestContext,
  files: number,
  environment: Record<string, string>,
): Promise<boolean> {
  const directory = await mkdtemp(join(tmpdir(), 'throughnat-pool-'))
  t.after(async () => rm(directory, { recursive: true, force: true }))
  const paths = Array.from({ length: files }, (_, n) => join(directory, String(n)))
  execFileSync('mkfifo', paths)
  const program = `
    import { start } from ${JSON.stringify(START)}
    await start(async () => ({ run: async () => {
      const { open } = await import('node:fs')
      const { lookup } = await import('node:dns')
      for (const path of ${JSON.stringify(paths)}) open(path, 'r', () => {})
      setTimeout(() => console.log('not found'), 3_000)
      lookup('localhost', () => console.log('found'))
      return 0
    } }))`
  const env = { ...process.env, ...environment }
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { env })
  // a process whose threads hang cannot end by itself
  t.after(() => child.kill('SIGKILL'))
  const [line] = (await once(child.stdout as Readable, 'data')) as [Buffer]
  return line.toString() === 'found\n'
}

const ON_UNIX = { skip: process.platform === 'win32', timeout: 60_000 }

test('names are found while five files hang', ON_UNIX, async t => {
  const { UV_THREADPOOL_SIZE: _, ...environment } = process.env
  process.env = environment
  assert.equal(await findsName(t, 5, {}), true)
})

test('a size of the pool that the user has set stays', ON_UNIX, async t => {
  assert.equal(await findsName(t, 5, { UV_THREADPOOL_SIZE: '4' }), false)
})
