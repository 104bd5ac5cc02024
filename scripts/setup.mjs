/**
 * Installs what is missing, and is quick when nothing is: the npm packages, the build, and the NAT lab's Debian packages.
 *
 * Runs before anything has been installed, on Node 20 and without packages. What cannot be had is said; whether that
 * matters is decided by who needs it.
 */

import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { installObstacle, installPackages } from './setup/debian-packages.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
process.chdir(root)

const [major = 0] = process.versions.node.split('.').map(Number)
if (major < 20) fail(`Node.js ${process.versions.node} is too old to set this up. Use Node.js 20 or later.`)

installDependencies()
build()
await installLab()

/** `npm ci` writes node_modules/.package-lock.json last. */
function installDependencies() {
  const installed = modifiedAt('node_modules/.package-lock.json')
  if (installed >= modifiedAt('package-lock.json') && existsSync('node_modules/.bin/node')) return
  say('Installing npm packages (npm ci; a minute or less)')
  // the project's own Node.js is among them: that this one is older than some packages want does not matter
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'])
}

function build() {
  const sources = ['src', 'relay', 'peer'].flatMap(folder =>
    readdirSync(folder, { recursive: true }).map(name => join(folder, String(name))),
  )
  const newest = Math.max(
    ...['tsconfig.build.json', 'tsconfig.json', 'scripts/bundle.mjs', ...sources].map(modifiedAt),
  )
  if (modifiedAt('dist/src/node/version.js') >= newest) return
  say('Building dist/ (tsc and rolldown; some seconds)')
  run('npm', ['run', '--silent', 'build'])
}

async function installLab() {
  const { findMissing } = await import('../test/lab/net/prerequisites.mjs')
  const packages = [...new Set(findMissing().missing.flatMap(it => it.debianPackage ?? []))]
  if (packages.length === 0) return
  const obstacle = installObstacle()
  if (obstacle !== undefined) {
    say(`The NAT lab is left out: ${packages.join(', ')} cannot be installed (${obstacle}).`)
    return
  }
  say(`Installing Debian packages for the NAT lab: ${packages.join(', ')} (a minute or less)`)
  const failure = installPackages(packages)
  if (failure !== undefined) fail(failure)
}

/** Runs a command, and shows what it printed only if it fails. */
function run(command, args) {
  try {
    execFileSync(command, args, { stdio: 'pipe', maxBuffer: 64 * 1024 * 1024 })
  } catch (error) {
    const { stdout = '', stderr = '' } = error
    fail(`${stdout}${stderr}\n${command} ${args.join(' ')} failed: ${error.message.split('\n')[0]}`)
  }
}

/** When a file was last modified, in milliseconds since the epoch; 0 if it does not exist. */
function modifiedAt(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0
}

function say(text) {
  process.stderr.write(`${text}\n`)
}

function fail(text) {
  say(text)
  process.exit(1)
}
