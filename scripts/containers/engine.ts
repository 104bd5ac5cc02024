/**
 * The Docker engine that the tests use: the one that answers, or else one that is started here and leaves nothing behind.
 *
 * An engine that is started here has namespaces of its own for processes and mounts, so that all that it runs ends with it,
 * and ends with this process, whatever ends this one. While the tests run it has a network of its own too: its bridges
 * and packet filter rules are not this machine's, and nothing that a container sends can leave.
 */

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { NotHereError, packagesObstacle, requirePackages } from './packages.ts'
import type { ChildProcessByStdio } from 'node:child_process'
import type { Readable } from 'node:stream'

/** Images and their layers are kept from run to run. */
const DATA_ROOT = '.cache/containers/engine'

/** The programs that are needed to start one, and the packages that bring them. */
const PACKAGES = { docker: 'docker.io', dockerd: 'docker.io', unshare: 'util-linux', setpriv: 'util-linux' }

const ANSWER_TIMEOUT_MS = 10_000

const START_TIMEOUT_MS = 60_000

/** What containers get to end by themselves is within that. */
const STOP_TIMEOUT_MS = 30_000

/** This machine's network, with which images are built; or one of the engine's own, for the tests. */
export type EngineNetwork = 'host' | 'own'

const NETWORK_OPTIONS: Readonly<Record<EngineNetwork, () => readonly string[]>> = {
  // only `--network host` is used, so nothing on this machine needs to change. An engine that is told to have no bridge
  // removes the bridge that another one may have left, or uses
  host: () => [
    `--bridge=${existsSync('/sys/class/net/docker0') ? 'docker0' : 'none'}`,
    '--iptables=false',
    '--ip-forward=false',
    '--ip-masq=false',
  ],
  own: () => ['--bridge=none'],
}

/** Says why there can be no engine here, or nothing if there is one or it can be had. */
export function engineObstacle(): string | undefined {
  if (answers()) return undefined
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    return 'no Docker engine answers, and only root on Linux can start one'
  return packagesObstacle(PACKAGES)
}

/** Resolves once there is an engine, and DOCKER_HOST names it if it was started here. Dispose of it to stop it again. */
export async function provideEngine(network: EngineNetwork): Promise<AsyncDisposable> {
  const obstacle = engineObstacle()
  if (obstacle !== undefined) throw new NotHereError(obstacle)
  if (answers()) return { [Symbol.asyncDispose]: async () => {} }
  requirePackages(PACKAGES)
  return await startEngine(network)
}

function answers(): boolean {
  const { status } = spawnSync('docker', ['version', '--format', '{{.Server.Version}}'], {
    timeout: ANSWER_TIMEOUT_MS,
  })
  return status === 0
}

async function startEngine(network: EngineNetwork): Promise<AsyncDisposable> {
  // a socket's path has 107 characters at the most, too few for a directory deep down
  const scratch = await mkdtemp(join(tmpdir(), 'throughnat-engine-'))
  await mkdir(DATA_ROOT, { recursive: true })
  const socket = `unix://${join(scratch, 'docker.sock')}`
  const dockerd = ['dockerd', '--host', socket, '--data-root', resolve(DATA_ROOT)]
  dockerd.push('--exec-root', join(scratch, 'exec'), '--pidfile', join(scratch, 'dockerd.pid'))
  dockerd.push(...NETWORK_OPTIONS[network]())
  const namespaces = ['--mount', '--pid', '--mount-proc', ...(network === 'own' ? ['--net'] : [])]
  const contained = ['unshare', ...namespaces, '--fork', '--kill-child', ...dockerd]
  // a process group of its own, so that Ctrl-C does not end it before the containers are removed
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...contained], {
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  try {
    await listening(child)
  } catch (error) {
    child.kill('SIGKILL')
    await rm(scratch, { recursive: true, force: true })
    throw error
  }
  const { DOCKER_HOST: before } = process.env
  process.env['DOCKER_HOST'] = socket
  return {
    [Symbol.asyncDispose]: async () => {
      if (before === undefined) delete process.env['DOCKER_HOST']
      else process.env['DOCKER_HOST'] = before
      await stop(child)
      await rm(scratch, { recursive: true, force: true })
    },
  }
}

type Engine = ChildProcessByStdio<null, null, Readable>

/** Resolves when the engine takes requests. */
async function listening(child: Engine): Promise<void> {
  const lines: string[] = []
  const { promise, resolve: onListening, reject } = Promise.withResolvers<void>()
  const fail = (what: string): void =>
    reject(new NotHereError(`a Docker engine ${what}:\n${lines.slice(-10).join('\n')}`))
  const timer = setTimeout(() => fail(`did not start within ${START_TIMEOUT_MS / 1000} s`), START_TIMEOUT_MS)
  child.once('error', error => fail(`cannot be started (${error.message})`))
  child.once('exit', code => fail(`ended with ${code}`))
  // read to the end, so that the engine never waits for a reader
  createInterface(child.stderr).on('line', line => {
    lines.push(line)
    if (line.includes('API listen on')) onListening()
  })
  try {
    await promise
  } finally {
    clearTimeout(timer)
  }
}

/** Ends the engine, whose process is the one child of the one that was started here (unshare), which heeds no SIGTERM. */
async function stop(child: Engine): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  const children = await readFile(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8')
  for (const pid of children.trim().split(' ')) process.kill(Number(pid), 'SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS)
  await exit
  clearTimeout(timer)
}
