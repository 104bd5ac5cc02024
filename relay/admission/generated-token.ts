/**
 * The token of a private relay for which no admission rule is configured.
 *
 * It is created at the first start and kept in the data directory (mode 0600). Peers need a copy of the file.
 */

import { randomBytes, randomUUID } from 'node:crypto'
import { rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { InvalidConfigError } from '../../src/errors.ts'
import { makePrivateDirectory } from '../../src/files/private-directory.ts'

/** The name of the file in the data directory. */
const TOKEN_FILE = 'relay.token'

/** Length of the random token: 256 bits, as many as an Ed25519 key, so it cannot be guessed. */
const TOKEN_BYTES = 32

/**
 * Resolves with the path of the token's file. Creates the file if it does not exist.
 *
 * @throws {InvalidConfigError} if other users can read the file, or it cannot be read or created
 */
export async function generatedTokenFile(dataDir: string): Promise<string> {
  const path = join(dataDir, TOKEN_FILE)
  try {
    const mode = await modeOf(path)
    if (mode === undefined) await create(dataDir, path)
    else if ((mode & 0o077) !== 0 && process.platform !== 'win32')
      throw unusable(path, `other users can read it (mode ${mode.toString(8)}); run: chmod 600 ${path}`)
    return path
  } catch (error) {
    if (error instanceof InvalidConfigError) throw error
    throw unusable(path, `${(error as NodeJS.ErrnoException).code}; check the owner of ${dataDir}`)
  }
}

async function modeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).mode & 0o777
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Writes a draft and renames it, so a crash never leaves half a token. */
async function create(dataDir: string, path: string): Promise<void> {
  await makePrivateDirectory(dataDir)
  const draft = `${path}.${randomUUID()}`
  try {
    await writeFile(draft, `${randomBytes(TOKEN_BYTES).toString('base64url')}\n`, { mode: 0o600, flag: 'wx' })
    await rename(draft, path)
  } catch (error) {
    await rm(draft, { force: true })
    throw error
  }
}

function unusable(path: string, what: string): InvalidConfigError {
  return new InvalidConfigError([{ where: 'token-file', what: `${path} cannot be used: ${what}` }])
}
