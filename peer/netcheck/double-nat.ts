/**
 * The probe for a second NAT: private addresses among the first hops, as `ping` with a short life finds them.
 *
 * A carrier's NAT and a router behind a router look so. A large private network with one NAT at its edge does as well, which comes to the same for
 * whoever would forward a port: there is more than one router between.
 */

import { scopeOf } from '../../src/addresses/scope.ts'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

/** Hops that are looked at: behind a router at home and one of the carrier's, the third is public. */
const HOPS = 3

/** Time for an answer, in seconds, as `ping` takes it. */
const WAIT_SECONDS = 1

/** What the probe found. */
export interface DoubleNatFinding {
  doubleNat: boolean | null
  why?: string
}

/** `remote` is a relay's IPv4 address, told by whoever runs netcheck. Rejects only when `signal` fires. */
export async function probeDoubleNat(remote: string, signal: AbortSignal): Promise<DoubleNatFinding> {
  if (process.platform !== 'linux')
    return { doubleNat: null, why: 'the hops are looked for by the ping of Linux alone' }
  const hops = await Promise.all(Array.from({ length: HOPS }, async (_, n) => hopAt(n + 1, remote, signal)))
  return judgeHops(hops)
}

/** `undefined` for a hop that did not answer, `end` where the remote itself did. */
export function judgeHops(hops: ReadonlyArray<string | undefined>): DoubleNatFinding {
  const isPrivate = (hop: string | undefined): boolean => hop !== undefined && scopeOf(hop) === 'private'
  const found = hops.filter(isPrivate)
  if (found.length > 1)
    return { doubleNat: true, why: `there are several private hops on the way: ${found.join(', ')}` }
  const outside = hops.findIndex(hop => hop !== undefined && !isPrivate(hop))
  // all hops before the first one outside must be known, or one of them may be private
  if (outside >= 0 && !hops.slice(0, outside).includes(undefined)) return { doubleNat: false }
  return { doubleNat: null, why: 'the first hops do not answer to ping, or there is none on this host' }
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
    // iputils ends with 1 where the answer is no echo
    return readHop((error as { stdout?: string }).stdout ?? '')
  }
}

/** The address in `From 192.168.1.1 icmp_seq=1 Time to live exceeded`, or in the echo of the remote itself. */
export function readHop(output: string): string | undefined {
  const [, hop] =
    /^From ([\d.]+):? .*time to live exceeded/im.exec(output) ?? /bytes from ([\d.]+):/i.exec(output) ?? []
  return hop
}
