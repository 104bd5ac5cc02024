/** The version of this package, as identify and `--version` tell it. */

import { readFileSync } from 'node:fs'
import { findPackageJSON } from 'node:module'

/** From package.json, which is at another distance from the source than from the compiled file. */
export const version: string = readVersion()

function readVersion(): string {
  const path = findPackageJSON(import.meta.url)
  if (path === undefined) throw new Error('this package has lost its package.json')
  const { version } = JSON.parse(readFileSync(path, 'utf8')) as { version: string }
  return version
}
