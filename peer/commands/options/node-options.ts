/** The options of a node that others connect to: `listen` and `up`. */

import { allowRuleKind, serviceKind, serviceNameKind } from '../../tunnel/listener/service-kinds.ts'
import { dataDir, names, relayFile, relays, relayTokenFile } from './options.ts'

/** The services, and who may use them. SIGHUP reloads all of them. */
export const exposingOptions = {
  expose: {
    kind: serviceKind,
    many: true,
    optional: true,
    doc: 'A service that remote peers can connect to by name. It is closed until you allow a peer or issue a ticket',
  },
  allow: {
    kind: allowRuleKind,
    many: true,
    optional: true,
    doc: 'Allow one peer, or anyone, to use a service',
  },
  allowFile: {
    kind: 'path',
    optional: true,
    placeholder: 'FILE',
    example: './allow',
    doc: 'A file with more allow rules, one per line. SIGHUP reloads it',
  },
  proxyProtocol: {
    kind: serviceNameKind,
    many: true,
    optional: true,
    doc: 'Send this service a PROXY protocol v2 header with the peer id in field 0xE0',
  },
} as const

/** All of them. */
export const nodeOptions = {
  relays,
  relayFile,
  reservations: {
    kind: 'integer',
    default: 2,
    min: 1,
    max: 16,
    doc: 'The number of relays to reserve at. Other relays replace one that is lost',
  },
  relayTokenFile,
  dataDir,
  port: {
    kind: 'port',
    default: 0,
    doc: 'The TCP port to listen on and to punch from. 0 means any free port',
  },
  names,
  ...exposingOptions,
} as const
