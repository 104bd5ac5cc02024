import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { it } from 'node:test'

const skip =
  process.platform === 'linux' && spawnSync('prlimit', ['--version']).status === 0
    ? false
    : 'needs prlimit of util-linux'

/** Tells the addresses and the routes, before and after all file descriptors are taken. */
const SCRIPT = `
  import { openSync } from 'node:fs'
  import { networkInterfaces } from 'node:os'
  const { allInterfaces } = await import('./src/addresses/interfaces.ts')
  const { defaultRoutes, defaultRoutesIPv6 } = await import('./src/addresses/default-routes.ts')
  const look = () => JSON.stringify([allInterfaces(), defaultRoutes(), defaultRoutesIPv6()])
  const before = look()
  const take = () => { try { for (;;) openSync('/dev/null') } catch {} }
  take()
  let isLacking = false
  try { networkInterfaces() } catch { isLacking = true }
  process.stdout.write(JSON.stringify({ isLacking, isSame: look() === before }))
`

it('the addresses and routes are as they were when no file descriptor is left to read them', { skip }, () => {
  const command = [process.execPath, '--input-type=module', '-e', SCRIPT]
  const { stdout, stderr } = spawnSync('prlimit', ['--nofile=64', ...command], { encoding: 'utf8' })
  assert.notEqual(stdout, '', stderr)
  assert.deepEqual(JSON.parse(stdout), { isLacking: true, isSame: true })
})

it('no other file asks the system itself', () => {
  const asking = globSync('{src,peer,relay}/**/*.ts').filter(path =>
    /import \{[^}]*networkInterfaces/.test(readFileSync(path, 'utf8')),
  )
  assert.deepEqual(asking, ['src/addresses/interfaces.ts'])
})
