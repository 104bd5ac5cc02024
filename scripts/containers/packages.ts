/** Installs the Debian packages of programs that are missing, where that is possible. */

import { spawnSync } from 'node:child_process'
import { installObstacle, installPackages } from '../setup/debian-packages.mjs'

/** Something that the tests need cannot be had on this machine; the message says what and why. */
export class NotHereError extends Error {
  static override readonly name = 'NotHereError'
  override readonly name = 'NotHereError'
}

/** The Debian package that brings a program, by the program's name. */
export type Packages = Readonly<Record<string, string>>

/** Says why what is missing cannot be installed, or nothing if it can be or nothing is missing. */
export function packagesObstacle(packages: Packages): string | undefined {
  const missing = missingOf(packages)
  const obstacle = missing.length === 0 ? undefined : installObstacle()
  return obstacle === undefined
    ? undefined
    : `${missing.join(', ')} is missing and cannot be installed (${obstacle})`
}

/**
 * Installs the packages of those programs that are not in PATH.
 *
 * @throws {NotHereError} when that is not possible
 */
export function requirePackages(packages: Packages): void {
  const missing = missingOf(packages)
  if (missing.length === 0) return
  const obstacle = packagesObstacle(packages)
  if (obstacle !== undefined) throw new NotHereError(obstacle)
  const names = [...new Set(missing.map(program => packages[program] ?? program))]
  console.log(`Installing Debian packages: ${names.join(', ')} (a minute or less)`)
  const failure = installPackages(names)
  if (failure !== undefined) throw new NotHereError(`${names.join(', ')} cannot be installed:\n${failure}`)
}

function missingOf(packages: Packages): string[] {
  return Object.keys(packages).filter(program => !has(program))
}

function has(program: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${program}`]).status === 0
}
