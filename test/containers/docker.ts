/** The Docker CLI, and Compose in either form: the plugin, or Debian 12's program of its own. */

import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { run } from '../lab/net/command.ts'

/** All that the tests make belongs to this project, as Compose labels it. */
export const PROJECT = 'throughnat-test'

const COMPOSE_FILE = fileURLToPath(new URL('compose.yaml', import.meta.url))

const LABEL = `label=com.docker.compose.project=${PROJECT}`

/** A container that heeds no signal is killed after 10 s, and the engine may be busy. */
const TIMEOUT_MS = 60_000

/** What compose.yaml leaves open, by the name of the variable. */
export type Variables = Readonly<Record<string, string>>

/** How to start Compose, or nothing if it is not here. */
export function findCompose(): readonly string[] | undefined {
  return [['docker', 'compose'], ['docker-compose']].find(
    ([program = '', ...args]) => spawnSync(program, [...args, 'version']).status === 0,
  )
}

let found: readonly string[] | undefined

/** Resolves with what Docker printed. */
export async function docker(...args: readonly string[]): Promise<string> {
  return (await run(['docker', ...args], { timeoutMs: TIMEOUT_MS })).stdout.trim()
}

export async function compose(args: readonly string[], variables: Variables = {}): Promise<void> {
  found ??= findCompose()
  if (found === undefined) throw new Error('Compose is not here; npm run test:containers installs it')
  await run([...found, '--project-name', PROJECT, '--file', COMPOSE_FILE, ...args], {
    timeoutMs: TIMEOUT_MS,
    env: { ...process.env, ...variables },
  })
}

/** Which container stands for a service now. */
export async function containerId(service: string): Promise<string> {
  return await docker('inspect', '--format', '{{.Id}}', `${PROJECT}-${service}`)
}

/** The names of the containers there are, running or not. */
export async function listContainers(): Promise<string[]> {
  const names = await docker('ps', '--all', '--format', '{{.Names}}', '--filter', LABEL)
  return names.split('\n').filter(name => name !== '')
}

/** Removes the containers of these services, as far as there are any, without asking them to end. */
export async function removeContainers(services: readonly string[]): Promise<void> {
  const names = services.map(service => `${PROJECT}-${service}`)
  const there = (await listContainers()).filter(name => names.includes(name))
  if (there.length > 0) await docker('rm', '--force', '--volumes', ...there)
}

/** Removes containers with their volumes, and the networks: all that the tests have made, in this run or in an earlier one. */
export async function removeAll(): Promise<void> {
  await removeEach(['ps', '--all'], ['rm', '--force', '--volumes'])
  await removeEach(['network', 'ls'], ['network', 'rm'])
  await removeEach(['volume', 'ls'], ['volume', 'rm'])
}

async function removeEach(list: readonly string[], remove: readonly string[]): Promise<void> {
  const ids = await docker(...list, '--quiet', '--filter', LABEL)
  if (ids !== '') await docker(...remove, ...ids.split('\n'))
}
