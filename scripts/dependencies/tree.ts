/** The packages of production, as package-lock.json has them. */

import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** An entry of package-lock.json. */
export interface LockedPackage {
  readonly name: string
  /** Where npm installs it: `node_modules/a/node_modules/b`. */
  readonly path: string
  readonly version: string
  readonly resolved?: string
  readonly integrity?: string
  readonly hasInstallScript?: boolean
  readonly dev?: boolean
  readonly dependencies?: Readonly<Record<string, string>>
}

interface Lock {
  packages: Record<string, Omit<LockedPackage, 'name' | 'path'>>
}

const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as Lock

/** Every package of the lock file, without the project itself. */
export const lockedPackages: readonly LockedPackage[] = Object.entries(lock.packages)
  .filter(([path]) => path !== '')
  .map(([path, entry]) => ({ ...entry, path, name: path.slice(path.lastIndexOf('node_modules/') + 13) }))

/** The packages that users install. */
export const productionPackages: readonly LockedPackage[] = lockedPackages.filter(it => it.dev !== true)

/** The dependencies that package.json names, with their ranges. */
export const directDependencies: Readonly<Record<string, string>> = (
  JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>
  }
).dependencies

/** How many packages would go without a direct dependency, itself included. */
export function countBroughtBy(name: string): number {
  const without = reachableFrom(Object.keys(directDependencies).filter(it => it !== name))
  return productionPackages.length - without.size
}

/**
 * The size of all files of the packages, in bytes, as they are installed here. A package that is installed at another
 * place than the lock file says counts with the size of the same version.
 *
 * @throws {Error} if one is not installed
 */
export function installedBytes(packages: readonly LockedPackage[]): number {
  const sizes = new Map<string, number>()
  for (const path of installedPaths('node_modules')) {
    const { name, version } = JSON.parse(
      readFileSync(join(ROOT, path, 'package.json'), 'utf8'),
    ) as LockedPackage
    if (!sizes.has(`${name}@${version}`)) sizes.set(`${name}@${version}`, bytesIn(path))
  }
  return packages.reduce((sum, { name, version }) => {
    const size = sizes.get(`${name}@${version}`)
    if (size === undefined) throw new Error(`${name} ${version} is not installed: run npm ci`)
    return sum + size
  }, 0)
}

/** Follows the names upwards, as Node.js finds packages. */
function reachableFrom(names: readonly string[]): ReadonlySet<LockedPackage> {
  const byPath = new Map(productionPackages.map(it => [it.path, it]))
  const found = new Set<LockedPackage>()
  const visit = (from: string, name: string): void => {
    for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
      const it = byPath.get(at === '' ? `node_modules/${name}` : `${at}/node_modules/${name}`)
      if (it !== undefined) {
        if (found.has(it)) return
        found.add(it)
        for (const next of Object.keys(it.dependencies ?? {})) visit(it.path, next)
        return
      }
      // an optional one that is not installed
      if (at === '') return
    }
  }
  for (const name of names) visit('', name)
  return found
}

/** The folders of installed packages, those within others too. */
function installedPaths(modules: string): string[] {
  const folders = readdirSync(join(ROOT, modules), { withFileTypes: true })
    .filter(it => it.isDirectory() && !it.name.startsWith('.'))
    .flatMap(({ name }) =>
      name.startsWith('@') ? readdirSync(join(ROOT, modules, name)).map(it => `${name}/${it}`) : [name],
    )
  return folders.flatMap(name => {
    const path = `${modules}/${name}`
    const within = statSync(join(ROOT, path, 'node_modules'), { throwIfNoEntry: false })?.isDirectory()
    return [path, ...(within === true ? installedPaths(`${path}/node_modules`) : [])]
  })
}

function bytesIn(path: string): number {
  return readdirSync(join(ROOT, path), { withFileTypes: true })
    .filter(it => it.name !== 'node_modules')
    .reduce(
      (sum, it) =>
        sum + (it.isDirectory() ? bytesIn(`${path}/${it.name}`) : statSync(join(ROOT, path, it.name)).size),
      0,
    )
}
