/** Installs the Debian packages of programs that are missing, where that is possible. */

import { spawnSync } from 'node:child_process'
import { installObstacle, installPackages } from '../setup/debian-packages.mjs'

/** Something that the tests need cannot be had on this machine; the message says what and why. */
export class NotHereError extends Error {
  static override readonly name = 'NotHereError'
  override readonly name = 'NotHereError'
}

/**
 * Installs the packages of those programs that are not in PATH.
 *
 * @param packages by the program that each brings
 * @throws {NotHereError} when that is not possible
 */
export function requirePackages(packages: Readonly<Record<string, string>>): void {
  const missing = Object.keys(packages).filter(program => !has(program))
  if (missing.length === 0) return
  const obstacle = installObstacle()
  if (obstacle !== undefined)
    throw new NotHereError(`${missing.join(', ')} is missing and cannot be installed (${obstacle})`)
  const names = missing.map(program => packages[program] ?? program)
  console.log(`Installing Debian packages: ${names.join(', ')} (a minute or less)`)
  const failure = installPackages(names)
  if (failure !== undefined) throw new NotHereError(`${names.join(', ')} cannot be installed:\n${failure}`)
}

function has(program: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${program}`]).status === 0
}
