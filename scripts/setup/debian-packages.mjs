/**
 * Installs Debian packages. Plain JavaScript for Node.js 20, since setup.mjs needs it before anything is installed.
 */

import { spawnSync } from 'node:child_process'

/** Says why packages cannot be installed here, or nothing if they can. */
export function installObstacle() {
  if (process.getuid?.() !== 0) return 'only root may'
  if (spawnSync('sh', ['-c', 'command -v apt-get']).status !== 0) return 'apt-get is not here'
  return undefined
}

/**
 * Installs packages, with the lists of packages that are there or, if those will not do, with new ones. Returns what
 * apt-get said when it failed, and nothing when it did not.
 */
export function installPackages(packages) {
  const install = ['install', '--yes', '--no-install-recommends', ...packages]
  if (aptGet(install).status === 0) return undefined
  // the lists of packages may be missing or old
  for (const args of [['update', '--quiet'], install]) {
    const { status, stdout, stderr, error } = aptGet(args)
    if (status !== 0) return `${stdout}${stderr}apt-get ${args.join(' ')} failed: ${error?.message ?? status}`
  }
  return undefined
}

function aptGet(args) {
  // no service starts: who needs one starts it as it is needed (RUNLEVEL is heeded by invoke-rc.d)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
  return spawnSync('apt-get', args, { env, stdio: 'pipe', encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
}
