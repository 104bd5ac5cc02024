/**
 * Bundles the two programs, so that they start sooner: Node.js reads some tens of files instead of hundreds. The second half of `npm run build`.
 *
 * Replaces `bin/*.js` in dist/ and writes what these load to dist/programs. A command's own code stays in chunks of its own, which only that
 * command loads. The modules for embedding (`exports` in package.json) stay as tsc writes them, and share nothing with the bundle. Packages with
 * native code stay outside. Runs on Node 20, as setup.mjs does.
 */

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))
const OUTPUT = join(ROOT, 'dist')
const PROGRAMS = ['peer/bin/throughnat', 'relay/bin/throughnat-relay']

/** Its native part is found beside its own files. */
const NATIVE = ['classic-level']

const bundle = await rolldown({
  cwd: ROOT,
  input: Object.fromEntries(PROGRAMS.map(name => [name, `${name}.ts`])),
  platform: 'node',
  external: NATIVE,
})
const { output } = await bundle.generate({
  format: 'esm',
  entryFileNames: '[name].js',
  chunkFileNames: 'programs/[name]-[hash].js',
  sourcemap: true,
  // V8 keeps the sources in memory; their licenses are in LICENSES.txt
  comments: false,
})
rmSync(join(OUTPUT, 'programs'), { recursive: true, force: true })
for (const file of output)
  write(file.fileName, file.type === 'chunk' ? inLatin1(file.code) : withoutSources(file))
const bundled = new Set(output.flatMap(it => (it.type === 'chunk' ? it.moduleIds : [])).flatMap(packageOf))
write(
  'programs/LICENSES.txt',
  [...bundled]
    .toSorted()
    .map(licenseOf)
    .join(`\n${'-'.repeat(80)}\n\n`),
)

function write(name, content) {
  const path = join(OUTPUT, name)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, content)
}

/** Escapes what is not in Latin-1: V8 takes two bytes for each character of a source that has one such character. */
function inLatin1(code) {
  return code.replaceAll(/[^\0-\xFF]/g, unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** A source map for line numbers alone, without a copy of every source. */
function withoutSources({ fileName, source }) {
  if (!fileName.endsWith('.map')) return source
  const { sourcesContent: _, ...map } = JSON.parse(String(source))
  return JSON.stringify(map)
}

/** The directory of the package that a module is from. None for modules of this package. */
function packageOf(id) {
  const [, directory] = /^\0?(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(id.replaceAll('\\', '/')) ?? []
  return directory === undefined || !existsSync(join(directory, 'package.json')) ? [] : [directory]
}

function licenseOf(directory) {
  const { name, version, license } = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'))
  const texts = readdirSync(directory)
    .filter(it => /^(licen[cs]e|copying|notice)/i.test(it))
    .map(it => readFileSync(join(directory, it), 'utf8').trim())
  return [`${name} ${version} (${license})`, ...texts, ''].join('\n\n')
}
