/**
 * Makes the file tree of a base image without a registry: this machine's Debian by debootstrap, and the Node.js and npm that
 * the project itself uses.
 *
 * Everything comes from where this machine gets it: the mirror of apt's own configuration, npm's registry, the certificate
 * authorities that are trusted here.
 */

import { cp, mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { tmpdir } from 'node:os'
import { run } from '../../test/lab/net/command.ts'

/** A minute on two cores, and then a margin for slow mirrors. */
const DEBOOTSTRAP_TIMEOUT_MS = 10 * 60_000
const TIMEOUT_MS = 2 * 60_000

const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt'

/** What `docker import` has to be told beside the tree, as --change takes it. */
export const BASE_CHANGES: readonly string[] = [`ENV NODE_EXTRA_CA_CERTS=${CERTIFICATES}`, 'CMD ["node"]']

/** Writes the tree as a tarball. Needs root, debootstrap and apt. */
export async function writeBase(tarball: string): Promise<void> {
  const scratch = await mkdtemp(join(tmpdir(), 'throughnat-base-'))
  try {
    const tree = join(scratch, 'tree')
    const { release, mirror } = await findDebian()
    await run(['debootstrap', '--variant=minbase', release, tree, mirror], {
      timeoutMs: DEBOOTSTRAP_TIMEOUT_MS,
    })
    await addNode(tree)
    await addNpm(tree)
    await addCertificates(tree)
    await mkdir(dirname(tarball), { recursive: true })
    const excluded = ['./var/cache/apt', './var/lib/apt/lists', './usr/share/doc', './usr/share/man']
    const exclude = excluded.map(path => `--exclude=${path}/*`)
    await run(['tar', '-C', tree, ...exclude, '-cf', `${tarball}.part`, '.'], { timeoutMs: TIMEOUT_MS })
    // a tarball that has its name is whole
    await rename(`${tarball}.part`, tarball)
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

/** The release that runs here, and the mirror that apt has for it. */
async function findDebian(): Promise<{ release: string; mirror: string }> {
  const release = /^VERSION_CODENAME=(\w+)$/m.exec(await readFile('/etc/os-release', 'utf8'))?.[1]
  if (release === undefined) throw new Error('/etc/os-release names no release of Debian')
  const { stdout } = await run(['apt-get', 'indextargets', '--format', '$(RELEASE) $(COMPONENT) $(SITE)'])
  const mirror = stdout
    .split('\n')
    .map(line => line.split(' '))
    .find(([suite, component]) => suite === release && component === 'main')?.[2]
  if (mirror === undefined) throw new Error(`apt knows no mirror for ${release}`)
  return { release, mirror }
}

/** The Node.js that runs this. */
async function addNode(tree: string): Promise<void> {
  await cp(process.execPath, join(tree, 'usr/local/bin/node'), { dereference: true })
}

/** The npm that this was started with, and the registry that it uses. */
async function addNpm(tree: string): Promise<void> {
  const cli =
    process.env['npm_execpath'] ?? join(await ask(['npm', 'root', '--global']), 'npm/bin/npm-cli.js')
  const modules = join(tree, 'usr/local/lib/node_modules')
  await mkdir(modules, { recursive: true })
  await cp(dirname(dirname(cli)), join(modules, 'npm'), { recursive: true, dereference: true })
  await symlink('../lib/node_modules/npm/bin/npm-cli.js', join(tree, 'usr/local/bin/npm'))
  const registry = await ask(['npm', 'config', 'get', 'registry'])
  await writeFile(join(tree, 'usr/local/etc/npmrc'), `registry=${registry}\n`)
}

/** What is trusted here may be more than the public authorities, and npm has to get through. */
async function addCertificates(tree: string): Promise<void> {
  const trusted = process.env['NODE_EXTRA_CA_CERTS'] ?? CERTIFICATES
  if (!existsSync(trusted)) return
  await mkdir(join(tree, dirname(CERTIFICATES)), { recursive: true })
  await cp(trusted, join(tree, CERTIFICATES), { dereference: true })
}

async function ask(command: readonly string[]): Promise<string> {
  return (await run(command, { timeoutMs: TIMEOUT_MS })).stdout.trim()
}
