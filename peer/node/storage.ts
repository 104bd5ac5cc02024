/**
 * The data directory of a peer: its identity, and what libp2p remembers of other peers, in a LevelDB. LevelDB survives a crash in the middle of a write, and
 * locks its directory, so that no second process can be the same peer.
 */

import { join } from 'node:path'
import { DataDirError } from '../../src/errors.ts'
import { loadIdentity } from '../../src/files/identity.ts'
import { makePrivateDirectory } from '../../src/files/private-directory.ts'
import type { PrivateKey } from '@libp2p/interface'
import type { ClassicLevel } from 'classic-level'
import type { LevelDatastore } from 'datastore-level'

/** The name of the database in the data directory. */
const DATABASE = 'peers'

/** An open data directory. */
export interface Storage {
  readonly privateKey: PrivateKey
  readonly datastore: LevelDatastore
  /** Lets others open it. Idempotent. */
  close(): Promise<void>
}

/**
 * Opens a data directory, which is made if it does not exist (0700).
 *
 * @throws {DataDirError} if another process has it open, or it cannot be used
 * @throws {IdentityError} if the identity in it cannot be used
 */
export async function openStorage(dataDir: string): Promise<Storage> {
  const datastore = await openDatastore(dataDir)
  try {
    return { privateKey: await loadIdentity(dataDir), datastore, close: async () => datastore.close() }
  } catch (error) {
    await datastore.close()
    throw error
  }
}

async function openDatastore(dataDir: string): Promise<LevelDatastore> {
  const { LevelDatastore } = await import('datastore-level')
  const database = await openDatabase<Uint8Array>(dataDir, DATABASE, 'view')
  // the two differ in what TypeScript makes of an absent value
  return new LevelDatastore(database as unknown as ConstructorParameters<typeof LevelDatastore>[0])
}

/**
 * Opens a database in a data directory, which is made if it does not exist. It is native code, with builds for most platforms: it is loaded only
 * where it is wanted.
 *
 * @throws {DataDirError} if another process has it open, or it cannot be used
 */
export async function openDatabase<V>(
  dataDir: string,
  name: string,
  valueEncoding: 'view' | 'json',
): Promise<ClassicLevel<string, V>> {
  const { ClassicLevel } = await import('classic-level')
  try {
    await makePrivateDirectory(dataDir)
    const database = new ClassicLevel<string, V>(join(dataDir, name), { keyEncoding: 'utf8', valueEncoding })
    // whoever is given it would open it, too, but not tell why it cannot
    await database.open()
    return database
  } catch (error) {
    throw unusable(dataDir, error as Error)
  }
}

function unusable(dataDir: string, error: Error): DataDirError {
  const { code, message } = (error.cause ?? error) as NodeJS.ErrnoException
  const reason = code === 'LEVEL_LOCKED' ? 'in-use' : 'unusable'
  return new DataDirError(reason, dataDir, code ?? message, { cause: error })
}
