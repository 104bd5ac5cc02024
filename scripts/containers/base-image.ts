/**
 * The base of the test's images: the official image of Node.js where it can be had, else one that is made here.
 *
 * What was made is kept in .cache/, since it takes a minute.
 */

import { existsSync } from 'node:fs'
import { run } from '../../test/lab/net/command.ts'
import { BASE_CHANGES, writeBase } from './base-tree.ts'
import { requirePackages } from './packages.ts'

/** What deploy/Dockerfile takes unless told. */
const OFFICIAL = 'node:24-slim'

const MADE = `throughnat-test-base:${process.version}`
const TARBALL = `.cache/containers/base-${process.version}.tar`

const PULL_TIMEOUT_MS = 3 * 60_000
const IMPORT_TIMEOUT_MS = 2 * 60_000

/** Resolves with the name of an image that the engine has. `THROUGHNAT_BASE_IMAGE` names another one. */
export async function ensureBase(): Promise<string> {
  const { THROUGHNAT_BASE_IMAGE: given } = process.env
  if (given !== undefined) return given
  for (const image of [OFFICIAL, MADE]) if (await hasImage(image)) return image
  if (!existsSync(TARBALL) && (await canPull(OFFICIAL))) return OFFICIAL
  await importBase(MADE)
  return MADE
}

/** Gives the engine a base image that is made here, or was. */
export async function importBase(tag: string): Promise<void> {
  if (!existsSync(TARBALL)) {
    requirePackages({ debootstrap: 'debootstrap' })
    console.log('Making a base image with debootstrap (a minute or less)')
    await writeBase(TARBALL)
  }
  const changes = BASE_CHANGES.flatMap(change => ['--change', change])
  await run(['docker', 'import', ...changes, TARBALL, tag], { timeoutMs: IMPORT_TIMEOUT_MS })
}

async function hasImage(image: string): Promise<boolean> {
  return await run(['docker', 'image', 'inspect', image]).then(
    () => true,
    () => false,
  )
}

async function canPull(image: string): Promise<boolean> {
  try {
    await run(['docker', 'pull', image], { timeoutMs: PULL_TIMEOUT_MS })
    return true
  } catch (error) {
    console.log(`${image} cannot be pulled: ${(error as Error).message.split('\n').at(-1)}`)
    return false
  }
}
