/**
 * The token of a private relay for which no admission rule is configured.
 *
 * It is created at the first start and kept in the data directory (mode 0600). Peers need a copy of the file.
 */

import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { InvalidConfigError } from '../../src/errors.ts'
import { integrityFault } from '../../src/files/integrity.ts'
import { createPrivateFile, privacyFault, readWhole } from '../../src/files/private-file.ts'
import { makePrivateDirectory } from '../../src/files/private-directory.ts'

/** The name of the file in the data directory. */
const TOKEN_FILE = 'relay.token'

/** Length of the random token: 256 bits, as many as an Ed25519 key, so it cannot be guessed. */
const TOKEN_BYTES = 32

/**
 * Resolves with the path of the token's file. Creates the file if it does not exist.
 *
 * @throws {InvalidConfigError} if other users can read or change the file, or it cannot be read or created
 */
export async function generatedTokenFile(dataDir: string): Promise<string> {
  const path = join(dataDir, TOKEN_FILE)
  try {
    const readers = await readersOf(path)
    if (readers === 'missing') {
      await makePrivateDirectory(dataDir)
      await assertOwn(dataDir, path)
      await createPrivateFile(path, `${randomBytes(TOKEN_BYTES).toString('base64url')}\n`)
    } else if (readers !== undefined) {
      throw unusable(path, `it can be read by ${readers}; run: chmod 600 ${path}`)
    }
    await assertOwn(path, path)
    await readWhole(path)
    return path
  } catch (error) {
    if (error instanceof InvalidConfigError) throw error
    const { code, message } = error as NodeJS.ErrnoException
    throw unusable(path, code === undefined ? message : `${code}; check the owner of ${dataDir}`)
  }
}

async function assertOwn(place: string, path: string): Promise<void> {
  const fault = await integrityFault(place)
  if (fault !== undefined) throw unusable(path, fault)
}

async function readersOf(path: string): Promise<string | undefined> {
  try {
    return await privacyFault(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'missing'
    throw error
  }
}

function unusable(path: string, what: string): InvalidConfigError {
  return new InvalidConfigError([{ where: 'token-file', what: `${path} cannot be used: ${what}` }])
}
