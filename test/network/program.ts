/** The programs, run from source as processes of their own. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import type { TestContext } from 'node:test'

export const RELAY: string = fileURLToPath(new URL('../../relay/bin/throughnat-relay.ts', import.meta.url))
export const THROUGHNAT: string = fileURLToPath(new URL('../../peer/bin/throughnat.ts', import.meta.url))

export interface Line {
  event: string
  at: number
  [field: string]: unknown
}

/** A program that runs, and what it has printed. */
export class Program {
  readonly child: ChildProcessWithoutNullStreams
  readonly lines: Line[] = []
  stdout = ''
  stderr = ''

  /** `json` is false for a program whose stdout is no JSON, line by line; `uid` is another user to run as, `env` another environment. */
  constructor(
    t: TestContext,
    path: string,
    args: string[],
    { json = true, uid, env }: { json?: boolean; uid?: number; env?: NodeJS.ProcessEnv } = {},
  ) {
    this.child = spawn(process.execPath, [path, ...args], {
      ...(uid === undefined ? {} : { uid, gid: uid }),
      // a test run by nohup does not hand on its SIGHUP, but would its trace
      env: { ...(env ?? process.env), _: undefined },
    })
    t.after(() => this.child.kill('SIGKILL'))
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
    })
    this.child.stdout.on('data', (chunk: Buffer) => {
      this.stdout += chunk.toString()
    })
    createInterface(this.child.stdout).on('line', line => {
      if (!json) return
      this.lines.push(JSON.parse(line) as Line)
      this.child.emit('json')
    })
  }

  async line(event: string): Promise<Line> {
    return this.lineWhere(it => it.event === event)
  }

  async lineWhere(fits: (line: Line) => boolean): Promise<Line> {
    for (;;) {
      const line = this.lines.find(fits)
      if (line !== undefined) return line
      await once(this.child, 'json', { signal: AbortSignal.timeout(20_000) })
    }
  }

  async ended(): Promise<number | null> {
    if (this.child.exitCode !== null) return this.child.exitCode
    const [code] = (await once(this.child, 'close')) as [number | null]
    return code
  }
}

export async function directory(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'throughnat-test-'))
  t.after(() => rm(path, { recursive: true, force: true }))
  return path
}

export async function startRelay(t: TestContext, dataDir: string): Promise<{ relay: Program; addr: string }> {
  const args = ['--json', '--listen', '/ip4/127.0.0.1/tcp/0', '--data-dir', dataDir]
  const relay = new Program(t, RELAY, args)
  const { addrs } = await relay.line('relay:ready')
  return { relay, addr: (addrs as string[])[0] ?? '' }
}

export async function startListener(
  t: TestContext,
  relay: string,
  args: string[] = [],
): Promise<{ listener: Program; addr: string }> {
  const dataDir = await directory(t)
  const listener = new Program(t, THROUGHNAT, [
    'listen',
    '--json',
    '--relay',
    relay,
    '--data-dir',
    dataDir,
    ...args,
  ])
  const { addrs } = await listener.line('peer:ready')
  return { listener, addr: (addrs as string[])[0] ?? '' }
}
