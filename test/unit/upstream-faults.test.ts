/**
 * docs/upstream-faults.md lists every patch, with the version that package.json pins, the upstream issue that
 * the head of the patch names, and a test of the fault.
 */

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
  'src/patches/libp2p-noise/secured.ts',
  'src/patches/libp2p-websockets/pre-handshake-bounds.ts',
  'src/patches/libp2p-yamux/amend.ts',
  'src/patches/libp2p-yamux/frame-reader.ts',
  'src/patches/libp2p-yamux/internals.ts',
])

/** Patches that replace a public option, and take hold of nothing. */
const WITHOUT_SHAPE = new Set(['src/patches/libp2p/quiet-logger.ts'])

interface Row {
  /** Each as name and version: `libp2p 3.3.11`. */
  packages: string[]
  /** Markdown. */
  issue: string
  /** Paths: one patch, or what stands in for the package. */
  replacements: string[]
  testFile: string
}

const { dependencies } = JSON.parse(read('package.json')) as { dependencies: Record<string, string> }

const rows = read('docs/upstream-faults.md')
  .split('\n')
  .filter(line => line.startsWith('| ') && !line.startsWith('| fault ') && !line.startsWith('| --- '))
  .map(rowOf)

const isPatch = ({ replacements: [path = ''] }: Row): boolean => path.startsWith('src/patches/')

describe('docs/upstream-faults.md', () => {
  it('lists every patch once', () => {
    const patches = globSync('src/patches/**/*.ts', { cwd: ROOT }).filter(path => !NO_PATCHES.has(path))
    const listed = rows.filter(isPatch).flatMap(({ replacements }) => replacements)
    assert.deepEqual(listed.toSorted(), patches.toSorted())
  })

  for (const { packages, issue, replacements, testFile } of rows) {
    const place = replacements.join(', ')

    it(`names the versions of the packages that ${place} is for, which are pinned`, () => {
      assert.ok(packages.length > 0)
      for (const each of packages) {
        const [name = '', version] = each.split(' ')
        assert.equal(dependencies[name], version, each)
      }
    })

    it(`names a test of ${place} that exists`, () => {
      assert.match(testFile, /^test\/.*\.test\.ts$/)
      assert.ok(existsSync(join(ROOT, testFile)), testFile)
    })

    it(`names an upstream issue for ${place}, or says that there is none`, () =>
      assert.match(issue, /^(?:not reported|by design|\[[\w-]+ \d+\]\(https:\/\/github\.com\/)/))

    it(`names paths that exist: ${place}`, () => {
      for (const path of replacements) assert.ok(existsSync(join(ROOT, path)), path)
    })
  }
})

for (const { packages, issue, replacements, testFile } of rows.filter(isPatch)) {
  const [patch = ''] = replacements

  describe(patch, () => {
    it('names the package, its version and the upstream issue at its head', () => {
      const head = headOf(read(patch))
      assert.ok(head.includes(`Fault of ${packages[0]}`), head)
      const [, said = ''] = head.split('Upstream issue: ')
      const urls = [...issue.matchAll(/\((https:[^)]+)\)/g)].map(([, url = '']) => url)
      for (const url of urls) assert.ok(said.includes(url), `${url} in: ${said}`)
      const [verdict] = /^(?:not reported|by design|https:)/.exec(issue.replace(/^\[.*?\]\(/, '')) ?? []
      assert.ok(verdict !== undefined && said.startsWith(verdict), said)
    })

    it('has a test beside the others, which shows the fault and the check of the shape', () => {
      assert.equal(testFile, `test/unit/${patch.replace(/\.ts$/, '.test.ts')}`)
      const test = read(testFile)
      assert.match(test, /which is the fault['"]/)
      assert.equal(/refusesWithout\(|UpstreamChangedError/.test(test), !WITHOUT_SHAPE.has(patch))
    })
  })
}

function rowOf(line: string): Row {
  const [, , packages = '', issue = '', replacements = '', testFile = ''] = line
    .split('|')
    .map(cell => cell.trim().replaceAll('`', ''))
  return { packages: packages.split(', '), issue, replacements: replacements.split(', '), testFile }
}

/** The text of the comment at the beginning of a file, in one line. */
function headOf(source: string): string {
  const [comment = ''] = source.split('*/')
  return comment
    .split('\n')
    .map(line => line.replace(/^\/?\s*\*+\s?/, '').trim())
    .join(' ')
    .replaceAll('`', '')
    .replace(/\s+/g, ' ')
}
