/** The status server as an option of the command line. */

import { hostPortKind } from '../../src/config/address-kinds.ts'
import { ListenError } from '../../src/errors.ts'
import { startStatusServer } from './status-server.ts'
import type { HostPort } from '../../src/config/address-kinds.ts'
import type { Kind } from '../../src/config/kind.ts'
import type { Relay } from '../relay.ts'
import type { StatusServer } from './status-server.ts'

const OFF = 'off'

/** Where it listens unless told otherwise. */
const USUAL: HostPort = { host: '127.0.0.1', port: 4002 }

const statusKind: Kind<HostPort | typeof OFF> = {
  noun: 'a host and port, or off',
  placeholder: `HOST:PORT|${OFF}`,
  example: '127.0.0.1:4002',
  parse: (text, place) => (text === OFF ? OFF : hostPortKind.parse(text, place)),
  print: value => (value === OFF ? OFF : (hostPortKind.print?.(value) ?? '')),
}

/** `--status`. */
export const statusOptions = {
  status: {
    kind: statusKind,
    optional: true,
    doc: 'Where to tell over HTTP how the relay is; 127.0.0.1:4002, or any free port if that is taken',
  },
} as const

/**
 * Starts what the option asks for. Without the option a port that is taken is no error: several relays may run on a machine.
 *
 * @throws {ListenError} if the address that was asked for cannot be listened on
 */
export async function startStatus(
  relay: Relay,
  status: HostPort | typeof OFF | undefined,
): Promise<StatusServer | undefined> {
  if (status === OFF) return undefined
  try {
    return await startStatusServer(relay, status ?? USUAL)
  } catch (error) {
    if (status !== undefined || !(error instanceof ListenError)) throw error
    return await startStatusServer(relay, { ...USUAL, port: 0 })
  }
}
