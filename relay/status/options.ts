/** The status server as an option of the command line. */

import { hostPortKind } from '../../src/config/kinds/address-kinds.ts'
import { ListenError } from '../../src/errors.ts'
import type { HostPort } from '../../src/config/kinds/address-kinds.ts'
import type { Kind } from '../../src/config/kinds/kind.ts'
import type { Relay } from '../relay.ts'
import type { StatusServer } from './status-server.ts'

const OFF = 'off'

/** The address that the status server listens on by default. */
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
    doc: 'The address of the HTTP status page. By default 127.0.0.1:4002, or any free port if that one is in use',
  },
} as const

/**
 * Starts the status server if the option allows it. Without the option, a port in use is no error, because
 * several relays may run on one machine: the server then takes any free port.
 *
 * @throws {ListenError} if the configured address cannot be listened on
 */
export async function startStatus(
  relay: Relay,
  status: HostPort | typeof OFF | undefined,
): Promise<StatusServer | undefined> {
  if (status === OFF) return undefined
  const { startStatusServer } = await import('./status-server.ts')
  try {
    return await startStatusServer(relay, status ?? USUAL)
  } catch (error) {
    if (status !== undefined || !(error instanceof ListenError)) throw error
    return await startStatusServer(relay, { ...USUAL, port: 0 })
  }
}
