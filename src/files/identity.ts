/**
 * The identity of a node: an Ed25519 key in its data directory, created on first start, readable by its owner alone.
 *
 * Anyone who has the key is the node, so a key that others can read or replace is refused and not repaired: it may have been read.
 */

import { join } from 'node:path'
import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import { IdentityError } from '../errors.ts'
import { meaningOf, systemCodeOf } from '../failures/system-errors.ts'
import { integrityFault } from './integrity.ts'
import { createPrivateFile, privacyFault, readWhole } from './private-file.ts'
import { shellWord } from './shell-word.ts'
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
 * @throws {IdentityError} if the key is unreadable or broken, or if others can read or replace it
 */
export async function loadIdentity(dataDir: string): Promise<PrivateKey> {
  const path = join(dataDir, IDENTITY_FILE)
  try {
    return (await read(path)) ?? (await create(dataDir, path))
  } catch (error) {
    if (error instanceof IdentityError) throw error
    throw new IdentityError(`Cannot use ${path} as identity: ${describeFault(error as Error)}.`, path, {
      cause: error,
    })
  }
}

function describeFault(error: Error): string {
  const code = systemCodeOf(error)
  if (code === undefined) return error.message
  const advice = code === 'EACCES' || code === 'EPERM' ? ". Check the directory's owner" : ''
  return `${meaningOf(code)} (${code})${advice}`
}

async function read(path: string): Promise<PrivateKey | undefined> {
  try {
    await assertPrivate(path)
    await assertOwn(path)
    return parse(await readWhole(path), path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

async function assertPrivate(path: string): Promise<void> {
  const readers = await privacyFault(path)
  if (readers === undefined) return
  const word = shellWord(path)
  throw new IdentityError(
    `The identity ${path} can be read by ${readers}. If nobody has, run: chmod 600 ${word}; ` +
      'if that changes nothing, the file system keeps no modes: mount it with umask=077. ' +
      'If somebody may have, remove it: a new identity is created at the next start.',
    path,
  )
}

/** Checks the identity, or the directory before the identity is created in it. */
async function assertOwn(path: string): Promise<void> {
  const fault = await integrityFault(path)
  if (fault !== undefined) throw new IdentityError(`Cannot use ${path} as identity: ${fault}.`, path)
}

/** What `peerIdFromPrivateKey` of @libp2p/peer-id 6.0 takes. It reads ECDSA keys, too, and throws. */
const withPeerId: ReadonlySet<string> = new Set(['Ed25519', 'secp256k1', 'RSA'])

function parse(bytes: Uint8Array, path: string): PrivateKey {
  let key: PrivateKey
  try {
    key = privateKeyFromProtobuf(bytes)
  } catch (error) {
    const what = bytes.length === 0 ? 'is empty' : 'is not a libp2p private key'
    throw new IdentityError(`The identity ${path} ${what}. Restore or remove it.`, path, { cause: error })
  }
  if (withPeerId.has(key.type)) return key
  throw new IdentityError(
    `The identity ${path} is a key of the type ${key.type}, for which libp2p makes no peer id here. ` +
      'Use an Ed25519, secp256k1 or RSA key, or remove it: a new identity is created at the next start.',
    path,
  )
}

async function create(dataDir: string, path: string): Promise<PrivateKey> {
  await makePrivateDirectory(dataDir)
  await assertOwn(dataDir)
  const key = await generateKeyPair('Ed25519')
  const isCreated = await createPrivateFile(path, privateKeyToProtobuf(key))
  // another process was faster
  return isCreated ? key : parse(await readWhole(path), path)
}
