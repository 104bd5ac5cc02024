/** What is installed with the programs: each package has a reason, none needs a script, and patched ones have exact versions. */

import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import {
  DEPENDENCY_DOCUMENT,
  dependencyDocument,
  MAX_MIB,
  MAX_PACKAGES,
} from '../../scripts/dependencies/document.ts'
import { reasons } from '../../scripts/dependencies/reasons.ts'
import {
  countBroughtBy,
  directDependencies,
  installedBytes,
  lockedPackages,
  productionPackages,
} from '../../scripts/dependencies/tree.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')

const { devDependencies, allowScripts, scripts } = JSON.parse(read('package.json')) as {
  devDependencies: Record<string, string>
  allowScripts: Record<string, boolean>
  scripts: Record<string, string>
}
const EXACT = /^\d+\.\d+\.\d+$/

describe('production dependencies', () => {
  it('each have a reason, and there is no reason for another', () => {
    assert.deepEqual(Object.keys(reasons).toSorted(), Object.keys(directDependencies).toSorted())
  })

  it('each are imported by the programs', () => {
    const sources = globSync('{src,relay,peer}/**/*.ts', { cwd: ROOT }).map(read).join('\n')
    for (const name of Object.keys(directDependencies))
      assert.match(sources, new RegExp(`(?:from|import\\()\\s*'${name}(?:/[^']*)?'`), name)
  })

  it('are as `npm run docs` writes them to docs/dependencies.md', () => {
    assert.ok(readFileSync(DEPENDENCY_DOCUMENT, 'utf8') === dependencyDocument(), 'run `npm run docs`')
  })

  it(`are at most ${MAX_PACKAGES} packages, with less than ${MAX_MIB} MiB of files`, () => {
    assert.ok(productionPackages.length <= MAX_PACKAGES, String(productionPackages.length))
    const mebibytes = installedBytes(productionPackages) / 1024 ** 2
    assert.ok(mebibytes < MAX_MIB, String(mebibytes))
  })

  it('are counted with the packages that they bring', () => {
    assert.equal(countBroughtBy('prom-client'), 4)
    assert.equal(countBroughtBy('yaml'), 1)
    assert.equal(countBroughtBy('no dependency'), 0)
  })

  it('are in the tree once for each version, except where packages need different ones', () => {
    const copies = new Map<string, number>()
    for (const { name, version } of productionPackages)
      copies.set(`${name}@${version}`, (copies.get(`${name}@${version}`) ?? 0) + 1)
    const several = [...copies].filter(([, count]) => count > 2)
    assert.deepEqual(several, [])
  })
})

describe('packages that are patched', () => {
  const faults = globSync('src/patches/*/*.ts', { cwd: ROOT }).flatMap(path =>
    [
      ...read(path)
        .replaceAll(/\s*\*\s*/g, ' ')
        .matchAll(/Fault of `?(@?[\w./-]+)`? (\d+\.\d+\.\d+)/g),
    ].map(([, name = '', version = '']) => ({ path, name, version })),
  )

  it('are found', () => assert.ok(faults.length > 15, String(faults.length)))

  for (const { path, name, version } of faults)
    it(`have the exact version that ${path} is for: ${name} ${version}`, () => {
      assert.equal(directDependencies[name], version)
      const versions = lockedPackages.filter(it => it.name === name).map(it => it.version)
      assert.deepEqual(versions, [version])
    })

  for (const folder of globSync('src/patches/*/', { cwd: ROOT }).map(path =>
    path.replace(/^.*patches\//, ''),
  ))
    it(`are pinned in package.json: ${folder}`, () => {
      const all = { ...devDependencies, ...directDependencies }
      const short = folder.replace(/^libp2p-/, '').replace(/\/$/, '')
      const names = [`@chainsafe/libp2p-${short}`, `@libp2p/${short}`, short].filter(it => it in all)
      assert.ok(names.length > 0, folder)
      for (const name of names) assert.match(all[name] ?? '', EXACT)
    })
})

describe('package-lock.json', () => {
  /** `node-gyp-build`, where a platform has no prebuilt LevelDB; and Node.js for development. */
  const ALLOWED = ['classic-level', 'fsevents', 'node']

  it('has install scripts only of packages that work without, and denies those of production', () => {
    const withScript = lockedPackages.filter(it => it.hasInstallScript === true)
    for (const { name, dev } of withScript) {
      assert.ok(ALLOWED.includes(name), name)
      if (dev !== true) assert.equal(allowScripts[name], false, name)
    }
  })

  it('has the hash of every package', () => {
    for (const { path, integrity } of lockedPackages) assert.match(integrity ?? '', /^sha512-/, path)
  })

  it('names no registry and no other host', () => {
    assert.doesNotMatch(read('package-lock.json'), /"resolved"/)
    for (const { path, dependencies = {} } of lockedPackages)
      for (const range of Object.values(dependencies)) assert.doesNotMatch(range, /:\/\/|^git|^file:/, path)
  })

  it('has the ranges of package.json', () => {
    for (const [name, range] of Object.entries(directDependencies)) {
      const locked = lockedPackages.find(it => it.path === `node_modules/${name}`)
      assert.ok(locked !== undefined, name)
      assert.equal(locked.version.split('.')[0], range.replace('^', '').split('.')[0], name)
      if (EXACT.test(range)) assert.equal(locked.version, range)
    }
  })
})

it('npm runs no script of this package when users install it from a registry', () => {
  for (const name of ['preinstall', 'install', 'postinstall']) assert.equal(scripts[name], undefined)
})
