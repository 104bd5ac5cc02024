/**
 * The probe for a second NAT: private addresses among the first hops, found by `ping` with a short time to
 * live.
 *
 * A carrier's NAT and a router behind a router look like this. So does a large private network with one NAT
 * at its edge. For port forwarding that makes no difference: more than one router is on the way.
 */

import { scopeOf } from '../../src/addresses/scope.ts'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

/** Hops to check. Behind a home router and a carrier's router, the third hop is public. */
const HOPS = 3

/** Time for an answer, in seconds, the unit of `ping`. */
const WAIT_SECONDS = 1

/** The result of the probe. `null` if it is unknown; `why` gives the evidence, or the reason. */
export interface DoubleNatFinding {
  doubleNat: boolean | null
  why?: string
}

/**
 * Probes the hops to `remote`, the IPv4 address of a relay that the user has given.
 *
 * @throws the reason of `signal` when that fires, and nothing else
 */
export async function probeDoubleNat(remote: string, signal: AbortSignal): Promise<DoubleNatFinding> {
  if (process.platform !== 'linux')
    return { doubleNat: null, why: 'finding the hops needs the ping of Linux' }
  const hops = await Promise.all(Array.from({ length: HOPS }, async (_, n) => hopAt(n + 1, remote, signal)))
  return judgeHops(hops)
}

/** Judges the hops, in their order. `undefined` stands for a hop that did not answer. */
export function judgeHops(hops: ReadonlyArray<string | undefined>): DoubleNatFinding {
  const isPrivate = (hop: string | undefined): boolean => hop !== undefined && scopeOf(hop) === 'private'
  const found = hops.filter(isPrivate)
  if (found.length > 1)
    return { doubleNat: true, why: `several hops on the way have private addresses: ${found.join(', ')}` }
  const outside = hops.findIndex(hop => hop !== undefined && !isPrivate(hop))
  // all hops before the first one outside must be known, because an unknown one may be private
  if (outside >= 0 && !hops.slice(0, outside).includes(undefined)) return { doubleNat: false }
  return { doubleNat: null, why: 'the first hops do not answer to ping, or this host has no ping' }
}

const run = promisify(execFile)

async function hopAt(life: number, remote: string, signal: AbortSignal): Promise<string | undefined> {
  const args = ['-n', '-c', '1', '-W', String(WAIT_SECONDS), '-t', String(life), remote]
  const options = { signal, timeout: (WAIT_SECONDS + 1) * 1000, env: { ...process.env, LC_ALL: 'C' } }
  try {
    const { stdout } = await run('ping', args, options)
    return readHop(stdout)
  } catch (error) {
    signal.throwIfAborted()
    // iputils exits with code 1 if the answer is not an echo
    return readHop((error as { stdout?: string }).stdout ?? '')
  }
}

/**
 * The address in `From 192.168.1.1 icmp_seq=1 Time to live exceeded`, or in the echo reply of the remote
 * itself.
 */
export function readHop(output: string): string | undefined {
  const [, hop] =
    /^From ([\d.]+):? .*time to live exceeded/im.exec(output) ?? /bytes from ([\d.]+):/i.exec(output) ?? []
  return hop
}
