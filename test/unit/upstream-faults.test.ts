/** docs/upstream-faults.md lists every patch, with a test that exists, and the version that package.json pins. */

import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')

/** Shared parts, and files that apply all patches of a package. */
const NO_PATCHES = new Set([
  'src/patches/expect-shape.ts',
  'src/patches/piece-joiner.ts',
  'src/patches/libp2p-identify/answer.ts',
  'src/patches/libp2p-identify/observed-address.ts',
  'src/patches/libp2p-noise/native-cipher.ts',
  'src/patches/libp2p-websockets/pre-handshake-bounds.ts',
  'src/patches/libp2p-yamux/amend.ts',
  'src/patches/libp2p-yamux/internals.ts',
  'src/patches/libp2p-yamux/small-pieces.ts',
])

const { dependencies } = JSON.parse(read('package.json')) as { dependencies: Record<string, string> }

const rows = read('docs/upstream-faults.md')
  .split('\n')
  .map(line => line.split('|').map(cell => cell.trim().replaceAll('`', '')))
  .filter(cells => cells[4]?.startsWith('src/patches/') === true)

describe('docs/upstream-faults.md', () => {
  it('lists every patch once', () => {
    const patches = globSync('src/patches/**/*.ts', { cwd: ROOT }).filter(path => !NO_PATCHES.has(path))
    assert.deepEqual(rows.map(cells => cells[4] ?? '').toSorted(), patches.toSorted())
  })

  for (const [, , packageAndVersion = '', , patch = '', testFile = ''] of rows) {
    it(`names a test of ${patch} that exists`, () => assert.ok(existsSync(join(ROOT, testFile)), testFile))

    it(`names the version of the package that ${patch} is for, which is pinned`, () => {
      const [name = '', version] = packageAndVersion.split(' ')
      assert.equal(dependencies[name], version)
    })
  }
})
