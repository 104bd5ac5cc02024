/** Where the demo runs: three machines in a NAT lab, or this one machine under three names. */

import { execFile, spawn } from 'node:child_process'
import { promisify } from 'node:util'
import { findMissing } from '../../test/lab/net/prerequisites.mjs'
import { createNetwork } from '../../test/lab/net/network.ts'
import type { ChildProcess } from 'node:child_process'
import type { Host } from '../../test/lab/net/network.ts'

/** One of the demo's machines. */
export interface Place {
  address: string
  start(program: string, args: string[]): ChildProcess
  /** Runs a program to its end; resolves with what it printed. */
  run(program: string, args: string[]): Promise<string>
}

/** The demo's machines, and what they are. */
export interface Places extends AsyncDisposable {
  description: string
  /** True if a path between home and laptop must turn direct. */
  hasNats: boolean
  relay: Place
  home: Place
  laptop: Place
  keepEvidence(directory: string): Promise<void>
}

const DELAY_MS = 20

/** Makes the places: in the lab where it can run, else on loopback. */
export async function createPlaces(): Promise<Places> {
  const { missing } = findMissing()
  return missing.length === 0 ? inLab() : onLoopback(missing.map(({ what }) => what))
}

async function inLab(): Promise<Places> {
  const net = await createNetwork({ delayMs: DELAY_MS })
  try {
    const relay = await net.addHost('relay')
    const home = await net.addHost('home', { behind: await net.addNat('home-router', 'eim-apdf-drop') })
    const laptop = await net.addHost('laptop', { behind: await net.addNat('cafe-router', 'eim-apdf-drop') })
    await net.capture()
    return {
      description: `three machines in network namespaces, two of them behind NATs, ${DELAY_MS} ms from each to the next`,
      hasNats: true,
      relay: asPlace(relay),
      home: asPlace(home),
      laptop: asPlace(laptop),
      keepEvidence: async directory => net.keepEvidence(directory),
      [Symbol.asyncDispose]: async () => net.close(),
    }
  } catch (error) {
    await net.close()
    throw error
  }
}

function asPlace(host: Host): Place {
  return {
    address: host.address,
    start: (program, args) => host.spawn(program, args),
    run: async (program, args) => (await host.exec(program, args, { timeoutMs: 60_000 })).stdout,
  }
}

function onLoopback(missing: readonly string[]): Places {
  const children = new Set<ChildProcess>()
  const place: Place = {
    address: '127.0.0.1',
    start: (program, args) => {
      const child = spawn(program, args)
      children.add(child)
      return child
    },
    run: async (program, args) => (await promisify(execFile)(program, args, { timeout: 60_000 })).stdout,
  }
  return {
    description: `this machine alone, on loopback, since the NAT lab needs what is missing here: ${missing.join(', ')}`,
    hasNats: false,
    relay: place,
    home: place,
    laptop: place,
    keepEvidence: async () => {},
    [Symbol.asyncDispose]: async () => {
      for (const child of children) child.kill('SIGKILL')
    },
  }
}
