/**
 * The identity of a node: an Ed25519 key in its data directory, created on first start, readable by its owner alone.
 *
 * Whoever has the key is the node, so a key that others can read is refused and not repaired: it may have been read.
 */

import { randomUUID } from 'node:crypto'
import { chmod, link, open, readFile, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import { IdentityError } from '../errors.ts'
import { makePrivateDirectory } from './private-directory.ts'
import type { PrivateKey } from '@libp2p/interface'

/** The name of the key file in the data directory. It holds the key as libp2p's protobuf. */
export const IDENTITY_FILE = 'identity.key'

/** An identity that ends with the process. */
export async function ephemeralIdentity(): Promise<PrivateKey> {
  return generateKeyPair('Ed25519')
}

/**
 * Reads the identity in `dataDir`, or creates both (directory 0700, file 0600).
 *
 * @throws {IdentityError} if the key is unreadable, broken, or readable by others
 */
export async function loadIdentity(dataDir: string): Promise<PrivateKey> {
  const path = join(dataDir, IDENTITY_FILE)
  try {
    return (await read(path)) ?? (await create(dataDir, path))
  } catch (error) {
    if (error instanceof IdentityError) throw error
    const { code, message } = error as NodeJS.ErrnoException
    throw new IdentityError(
      `Cannot use ${path} as identity: ${code ?? message}. Check the directory's owner.`,
      path,
      {
        cause: error,
      },
    )
  }
}

async function read(path: string): Promise<PrivateKey | undefined> {
  try {
    await assertPrivate(path)
    const bytes = await readFile(path)
    return parse(bytes, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

async function assertPrivate(path: string): Promise<void> {
  const { mode } = await stat(path)
  // Windows has no such bits: files in a user's directory are private by their access control lists
  if (process.platform === 'win32' || (mode & 0o077) === 0) return
  const bits = (mode & 0o777).toString(8)
  throw new IdentityError(
    `The identity ${path} can be read by others (mode ${bits}). If nobody has, run: chmod 600 ${path}. ` +
      'If somebody may have, remove it: a new identity is created at the next start.',
    path,
  )
}

/** What `peerIdFromPrivateKey` of @libp2p/peer-id 6.0 takes. It reads ECDSA keys, too, and throws. */
const withPeerId: ReadonlySet<string> = new Set(['Ed25519', 'secp256k1', 'RSA'])

function parse(bytes: Uint8Array, path: string): PrivateKey {
  let key: PrivateKey
  try {
    key = privateKeyFromProtobuf(bytes)
  } catch (error) {
    throw new IdentityError(`The identity ${path} is not a libp2p private key. Restore or remove it.`, path, {
      cause: error,
    })
  }
  if (withPeerId.has(key.type)) return key
  throw new IdentityError(
    `The identity ${path} is a key of the type ${key.type}, for which libp2p makes no peer id here. ` +
      'Use an Ed25519, secp256k1 or RSA key, or remove it: a new identity is created at the next start.',
    path,
  )
}

/** Written beside and linked into place: a crash leaves no half key, and of two processes that start at once one wins. */
async function create(dataDir: string, path: string): Promise<PrivateKey> {
  await makePrivateDirectory(dataDir)
  const key = await generateKeyPair('Ed25519')
  const draft = `${path}.${randomUUID()}`
  const file = await open(draft, 'wx', 0o600)
  try {
    await file.writeFile(privateKeyToProtobuf(key))
    await file.sync()
    await file.close()
    await chmod(draft, 0o600)
    await link(draft, path)
    return key
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    return parse(await readFile(path), path)
  } finally {
    await unlink(draft).catch(() => {})
  }
}
