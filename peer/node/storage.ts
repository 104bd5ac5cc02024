/**
 * The data directory of a peer: its identity, and what libp2p remembers of other peers, in a LevelDB. LevelDB survives a crash in the middle of a write, and
 * locks its directory, so that no second process can be the same peer.
 */

import { connect } from 'node:net'
import { once } from 'node:events'
import { DataDirError } from '../../src/errors.ts'
import { loadIdentity } from '../../src/files/identity.ts'
import { socketPathOf } from '../control/socket.ts'
import { Database } from './database.ts'
import { WriteBehind } from './write-behind.ts'
import type { Socket } from 'node:net'
import type { PrivateKey } from '@libp2p/interface'
import type { LevelDatastore } from 'datastore-level'
import type { WriteReport } from './write-behind.ts'

/** The name of the database in the data directory. */
const DATABASE = 'peers'

/** An open data directory. */
export interface Storage {
  readonly path: string
  /** Reports how the writes go, from now on. */
  watch(report: WriteReport): void
  readonly privateKey: PrivateKey
  /** It never rejects a write: see {@link WriteBehind}. */
  readonly datastore: LevelDatastore
  /** Lets others open it. Idempotent. */
  close(): Promise<void>
}

/**
 * Opens a data directory, which is made if it does not exist (0700). With an identity in it, it opens also where its disk
 * cannot be written; nothing is remembered until the disk can be written again.
 *
 * @throws {DataDirError} if another process has it open, or it cannot be used
 * @throws {IdentityError} if the identity in it cannot be used
 */
export async function openStorage(dataDir: string): Promise<Storage> {
  const { LevelDatastore } = await import('datastore-level')
  const database = await Database.open<Uint8Array>(dataDir, DATABASE, 'view')
  try {
    if (!database.isOpen && (await isNodeRunning(dataDir))) throw new DataDirError('in-use', dataDir, '')
    const privateKey = await loadIdentity(dataDir)
    const records = new WriteBehind(database)
    // a Level database has more methods than the datastore uses
    const datastore = new LevelDatastore(
      records as unknown as ConstructorParameters<typeof LevelDatastore>[0],
    )
    return {
      path: dataDir,
      watch: report => records.watch(report),
      privateKey,
      datastore,
      close: async () => {
        await records.close()
        await database.close()
      },
    }
  } catch (error) {
    await database.close()
    throw error
  }
}

/** Stands in for the lock, which a disk that cannot be written does not give. */
async function isNodeRunning(dataDir: string): Promise<boolean> {
  let socket: Socket | undefined
  try {
    socket = connect(socketPathOf(dataDir))
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket?.destroy()
  }
}
