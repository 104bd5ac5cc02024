/**
 * The check that each patch makes before it takes hold of the inside of a library: are the members there that
 * it replaces or reads? If not, the library has changed, and the patch must be looked at again. Nothing is
 * skipped silently.
 */

import { readFileSync } from 'node:fs'
import { findPackageJSON } from 'node:module'
import { UpstreamChangedError } from '../errors.ts'

/** The members that a patch needs, and what `typeof` says of each. */
export type Shape = Readonly<Record<string, 'function' | 'object' | 'number' | 'string' | 'boolean'>>

/**
 * Makes the check of one patch. It looks at one object of each class, so that it costs nothing for each
 * further connection.
 *
 * @param packageName - the package that is patched
 *
 * @param shape - nested members are written with dots: `decoder.readFrame`
 */
export function shapeCheck(packageName: string, shape: Shape): (target: object) => void {
  const checked = new WeakSet<object>()
  return target => {
    const { constructor } = target
    // plain objects have no class of their own
    if (constructor !== Object && checked.has(constructor)) return
    const missing = Object.keys(shape).filter(path => typeof memberOf(target, path) !== shape[path])
    if (missing.length > 0) throw new UpstreamChangedError(packageName, versionOf(packageName), missing)
    checked.add(constructor)
  }
}

function memberOf(target: object, path: string): unknown {
  let value: unknown = target
  for (const name of path.split('.')) value = (value as Record<string, unknown> | null | undefined)?.[name]
  return value ?? undefined
}

function versionOf(packageName: string): string {
  try {
    const path = findPackageJSON(packageName, import.meta.url)
    return (JSON.parse(readFileSync(path ?? '', 'utf8')) as { version: string }).version
  } catch {
    return 'of an unknown version'
  }
}
