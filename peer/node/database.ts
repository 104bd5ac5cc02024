/**
 * A LevelDB in the data directory that recovers after its disk could not be written.
 *
 * LevelDB itself does not. After a write that failed halfway it continues at the wrong offset of its log: later writes
 * succeed, and are lost at the next start (observed with classic-level 3.0.0 on a full tmpfs; see
 * test/unit/peer/node/database.test.ts). The invariant: after a failed write, nothing is written until the database was
 * opened again.
 */

import { join } from 'node:path'
import { DataDirError } from '../../src/errors.ts'
import { isUnwritable, whyUnwritable } from '../../src/files/disk-probe.ts'
import { integrityFault } from '../../src/files/integrity.ts'
import { closeDirectory, makePrivateDirectory } from '../../src/files/private-directory.ts'
import type { ClassicLevel } from 'classic-level'

/** One change. */
export type Change<V> = { type: 'put'; key: string; value: V } | { type: 'del'; key: string }

/** Which keys {@link Database.entries} gives. */
export interface KeyRange {
  gte?: string
  lt?: string
}

/** LevelDB writes its log again as a table when it opens. A small log keeps that below what the disk probe asks for, in bytes. */
const WRITE_BUFFER_BYTES = 256 * 1024

/** After a failure the disk is looked at again no sooner than this, in milliseconds. */
const PAUSE_MS = 1_000

export class Database<V> implements AsyncDisposable {
  readonly #level: ClassicLevel<string, V>
  readonly #dataDir: string
  /** Why the database cannot be written as it is. */
  #failure: DataDirError | undefined
  #failedAt = 0
  #isClosed = false
  #lastTurn: Promise<unknown> = Promise.resolve()

  private constructor(level: ClassicLevel<string, V>, dataDir: string) {
    this.#level = level
    this.#dataDir = dataDir
  }

  /**
   * Opens a database in a data directory, which is made if it does not exist. It is native code, with builds for most
   * platforms: it is loaded only where it is wanted.
   *
   * A disk that cannot be written is no error. The database is empty then, and is opened when the disk can be written again.
   *
   * @throws {DataDirError} if another process has it open, another user can change it, or it cannot be used
   */
  static async open<V>(dataDir: string, name: string, valueEncoding: 'view' | 'json'): Promise<Database<V>> {
    const { ClassicLevel } = await import('classic-level')
    await prepare(dataDir, name)
    const options = { keyEncoding: 'utf8', valueEncoding, writeBufferSize: WRITE_BUFFER_BYTES } as const
    const database = new Database(new ClassicLevel<string, V>(join(dataDir, name), options), dataDir)
    await database.#open().catch(async (error: DataDirError) => {
      if (error.reason === 'in-use' || !isUnwritable(await whyUnwritable(dataDir))) throw error
    })
    return database
  }

  /** Whether this process has the database, and so its lock. False where the disk could not be written from the start. */
  get isOpen(): boolean {
    return this.#level.status === 'open'
  }

  /**
   * Writes changes, all or none.
   *
   * @param options - `sync` resolves when they are on the disk, so that they survive a crash of the machine
   * @throws {DataDirError} if they cannot be written
   */
  async write(changes: readonly Change<V>[], options: { sync?: boolean } = {}): Promise<void> {
    await this.#inTurn(async () => {
      await this.#recover()
      try {
        await this.#level.batch([...changes], options)
      } catch (error) {
        throw await this.#fail(error as Error)
      }
    })
  }

  /** @throws the database's error if it cannot be read */
  async get(key: string): Promise<V | undefined> {
    return this.#level.get(key)
  }

  /** @throws the database's error if it cannot be read */
  entries(range: KeyRange = {}): AsyncIterable<[string, V]> {
    return this.#level.iterator(range)
  }

  /** Opens the database again if a write has failed, or if it could not be opened. @throws {DataDirError} if it cannot be written */
  async recover(): Promise<void> {
    await this.#inTurn(async () => this.#recover())
  }

  /** Lets others open it. Idempotent. */
  async close(): Promise<void> {
    await this.#inTurn(async () => {
      this.#isClosed = true
      await this.#level.close()
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #open(): Promise<void> {
    try {
      await this.#level.open()
    } catch (error) {
      throw await this.#fail(error as Error)
    }
  }

  async #recover(): Promise<void> {
    if (this.#failure === undefined) return
    // a closed one must not come back
    if (this.#isClosed || performance.now() - this.#failedAt < PAUSE_MS) throw this.#failure
    // while it is open its lock is held, and it can be read: it is closed only where it will open again
    const code = await whyUnwritable(this.#dataDir)
    if (code !== undefined) throw this.#remember(unusable(this.#dataDir, errorOf(code)))
    await this.#level.close()
    await this.#open()
    this.#failure = undefined
  }

  async #fail(error: Error): Promise<DataDirError> {
    // LevelDB gives a text only
    const code = isLocked(error) ? undefined : await whyUnwritable(this.#dataDir)
    return this.#remember(unusable(this.#dataDir, code === undefined ? error : errorOf(code)))
  }

  #remember(failure: DataDirError): DataDirError {
    this.#failure = failure
    this.#failedAt = performance.now()
    return failure
  }

  /** One after the other: nothing is written while the database is opened again. */
  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const turn = this.#lastTurn.then(act)
    this.#lastTurn = turn.catch(() => {})
    return turn
  }
}

/** Makes the directories. That of the database is this user's alone, also in a data directory that others can read. */
async function prepare(dataDir: string, name: string): Promise<void> {
  let fault: string | undefined
  try {
    await makePrivateDirectory(dataDir)
    fault = await integrityFault(dataDir)
  } catch (error) {
    throw unusable(dataDir, error as Error)
  }
  if (fault !== undefined) throw new DataDirError('unsafe', dataDir, fault)
  const path = join(dataDir, name)
  // LevelDB says what is wrong with a disk that cannot be written
  await makePrivateDirectory(path).catch(() => {})
  await closeDirectory(path)
}

function errorOf(code: string): Error {
  return Object.assign(new Error(code), { code })
}

function isLocked({ cause }: Error): boolean {
  return (cause as NodeJS.ErrnoException | undefined)?.code === 'LEVEL_LOCKED'
}

function unusable(dataDir: string, error: Error): DataDirError {
  const { code, message } = (error.cause ?? error) as NodeJS.ErrnoException
  const reason = code === 'LEVEL_LOCKED' ? 'in-use' : 'unusable'
  // the codes of LevelDB say less than its texts
  const problem = code === undefined || code.startsWith('LEVEL_') ? message : code
  return new DataDirError(reason, dataDir, problem, { cause: error })
}
