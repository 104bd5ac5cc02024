/**
 * The programs of the interoperability matrix: the lab's own, and those over other implementations of libp2p, which are compiled once and kept.
 *
 * What is compiled is kept in the user's cache directory, by the content of its sources, so that a fresh clone finds it again.
 */

import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  accessSync,
  constants,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Program } from '../lab/remote.ts'

/** An implementation as the matrix names it; `go-0.40` deals the roles of DCUtR the other way round. */
export type Implementation = 'ours' | 'go' | 'rust' | 'stock' | 'go-0.40'

/** How a program is compiled. */
interface Build {
  folder: string
  compiler: 'go' | 'cargo'
  compile: (run: (...args: string[]) => void, output: string) => void
}

const ROOT = fileURLToPath(new URL('.', import.meta.url))

/** The user's (XDG Base Directory Specification). */
const CACHE = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'throughnat', 'interop')

/** Where installers of Go and Rust put compilers that a shell may not find. */
const ELSEWHERE = ['/usr/local/go/bin', join(homedir(), '.cargo', 'bin')]

const builds: Readonly<Record<'go' | 'go-0.40' | 'rust', Build>> = {
  go: { folder: 'go', compiler: 'go', compile: (go, output) => go('build', '-o', output, '.') },
  'go-0.40': {
    folder: 'go',
    compiler: 'go',
    compile: (go, output) => go('build', '-modfile=go-0.40.mod', '-tags=old', '-o', output, '.'),
  },
  rust: { folder: 'rust', compiler: 'cargo', compile: compileRust },
}

/** The names of those that have to be compiled. */
export const compiled = Object.keys(builds) as Array<keyof typeof builds>

/** The program of an implementation and its arguments. Those that are compiled must have been (see {@link build}). */
export function programOf(name: Implementation): { program: Program; args: string[] } {
  if (name === 'ours') return { program: 'agent', args: [] }
  if (name === 'stock') return { program: 'plain-agent', args: ['stock'] }
  return { program: { executable: pathOf(name) }, args: [] }
}

/** The compilers that are missing. */
export function missingCompilers(): string[] {
  const wanted = new Set(Object.values(builds).map(({ compiler }) => compiler))
  return [...wanted].filter(compiler => findCompiler(compiler) === undefined)
}

/** True if the program is there already. */
export function isBuilt(name: keyof typeof builds): boolean {
  return existsSync(pathOf(name))
}

/** Compiles a program. Takes minutes the first time, for all that it depends on. Throws with what the compiler said. */
export function build(name: keyof typeof builds): void {
  const { folder, compiler, compile } = builds[name]
  const output = pathOf(name)
  const command = findCompiler(compiler)
  if (command === undefined) throw new Error(`${compiler} is not installed`)
  const PATH = [process.env['PATH'], ...ELSEWHERE].join(delimiter)
  const run = (...args: string[]): void => {
    execFileSync(command, args, {
      cwd: join(ROOT, folder),
      env: { ...process.env, PATH },
      stdio: ['ignore', 'inherit', 'inherit'],
    })
  }
  mkdirSync(CACHE, { recursive: true })
  removeOutdated(name)
  compile(run, output)
}

/**
 * Cargo's lock file names the registry with every package, where this project's lock files name none: versions.lock is one without, and what Cargo calls its registry
 * here is filled in.
 */
function compileRust(cargo: (...args: string[]) => void, output: string): void {
  const folder = join(CACHE, 'rust')
  const manifest = join(folder, 'Cargo.toml')
  const lock = join(folder, 'Cargo.lock')
  // what was compiled before stays in target/; a source that is no more must not
  rmSync(join(folder, 'src'), { recursive: true, force: true })
  rmSync(lock, { force: true })
  cpSync(join(ROOT, 'rust'), folder, { recursive: true })
  cargo('generate-lockfile', '--quiet', '--manifest-path', manifest)
  const [registry] = /^source = .*$/m.exec(readFileSync(lock, 'utf8')) ?? []
  if (registry === undefined) throw new Error(`Cargo has not named its registry in ${lock}`)
  const versions = readFileSync(join(ROOT, 'rust', 'versions.lock'), 'utf8')
  writeFileSync(lock, versions.replaceAll(/^checksum = /gm, `${registry}\n$&`))
  cargo('build', '--release', '--locked', '--quiet', '--manifest-path', manifest)
  copyFileSync(join(folder, 'target', 'release', 'throughnat-interop'), output)
}

/** The release that an implementation is pinned to. */
export function versionOf(name: Implementation): string {
  if (name === 'go' || name === 'go-0.40') {
    const file = name === 'go' ? 'go.mod' : 'go-0.40.mod'
    return `go-libp2p ${match(join(ROOT, 'go', file), /go-libp2p (v\S+)/)}`
  }
  if (name === 'rust')
    return `rust-libp2p ${match(join(ROOT, 'rust', 'versions.lock'), /name = "libp2p"\nversion = "(.*)"/)}`
  const packages = join(ROOT, '..', '..', 'node_modules')
  const release = (path: string): string => match(join(packages, path, 'package.json'), /"version": "(.*)"/)
  if (name === 'stock')
    return `js-libp2p ${release('libp2p')} (@libp2p/tcp ${release('@libp2p/tcp')}, @libp2p/dcutr ${release('@libp2p/dcutr')})`
  return `throughnat, on Node ${process.versions.node}`
}

function match(path: string, pattern: RegExp): string {
  return pattern.exec(readFileSync(path, 'utf8'))?.[1] ?? '?'
}

function pathOf(name: keyof typeof builds): string {
  const { folder, compile } = builds[name]
  const hash = createHash('sha256').update(String(compile))
  for (const file of sourcesIn(join(ROOT, folder)))
    hash.update(file).update(readFileSync(join(ROOT, folder, file)))
  return join(CACHE, `${name}-${hash.digest('hex').slice(0, 16)}`)
}

function removeOutdated(name: string): void {
  const pattern = new RegExp(`^${name}-[0-9a-f]{16}$`)
  for (const file of readdirSync(CACHE)) if (pattern.test(file)) rmSync(join(CACHE, file))
}

function sourcesIn(folder: string): string[] {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(it => it.isFile())
  const paths = files.map(it => join(it.parentPath, it.name).slice(folder.length + 1))
  return paths.toSorted()
}

function findCompiler(name: string): string | undefined {
  const places = [...(process.env['PATH'] ?? '').split(delimiter), ...ELSEWHERE]
  return places.map(place => join(place, name)).find(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
