/** A disk that a test can fill: a small file system in memory. Mounting one takes root. */

import { execFileSync } from 'node:child_process'
import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Why a test that mounts cannot run here; undefined if it can. */
export const cannotMount: string | undefined =
  process.platform === 'linux' && process.geteuid?.() === 0 ? undefined : 'mounting takes root on Linux'

const FILL = 'fill'

/** What the disk belongs to, for example a test. */
interface Scope {
  /** Runs a function when the scope ends. */
  after(run: () => Promise<void>): void
}

/** A mounted file system, which is gone after its scope. */
export class SmallDisk {
  readonly path: string

  private constructor(path: string) {
    this.path = path
  }

  static async mount(scope: Scope, size: string): Promise<SmallDisk> {
    const path = await mkdtemp(join(tmpdir(), 'throughnat-disk-'))
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=0700`, 'tmpfs', path])
    const remove = (): void => {
      execFileSync('umount', ['--lazy', path])
      rmSync(path, { recursive: true, force: true })
    }
    // for a process that exits within the scope
    process.once('exit', remove)
    scope.after(async () => {
      process.off('exit', remove)
      remove()
    })
    return new SmallDisk(path)
  }

  /** Takes all that is left. */
  fill(): void {
    const file = openSync(join(this.path, FILL), 'a')
    try {
      for (const size of [4096, 1]) writeUntilFull(file, Buffer.alloc(size))
    } finally {
      closeSync(file)
    }
  }

  /** Gives back what {@link fill} has taken. */
  free(): void {
    rmSync(join(this.path, FILL), { force: true })
  }

  /** Makes it read-only, or writable again. @throws while a file is open for writing, if it is to be read-only */
  remount(mode: 'ro' | 'rw'): void {
    execFileSync('mount', ['-o', `remount,${mode}`, this.path], { stdio: 'pipe' })
  }
}

function writeUntilFull(file: number, chunk: Buffer): void {
  try {
    for (;;) writeSync(file, chunk)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
  }
}
