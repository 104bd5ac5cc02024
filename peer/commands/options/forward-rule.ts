/** The value of `--forward`: `LOCAL=TARGET/NAME`, or `LOCAL=TICKET`. */

import { parseHostPort, printHostPort } from '../../../src/config/kinds/address-kinds.ts'
import { serviceNameKind } from '../../tunnel/listener/service-kinds.ts'
import { expandPath } from '../../../src/config/paths.ts'
import { hideTickets } from '../../tickets/prefix.ts'
import type { HostPort } from '../../../src/config/kinds/address-kinds.ts'
import type { Kind } from '../../../src/config/kinds/kind.ts'

/** The local address, and where it leads. */
export interface ForwardRule {
  local: HostPort
  /** In the syntax of {@link readDestination}. */
  target: string
  /** `undefined` if a ticket names the service. */
  service: string | undefined
}

export const forwardRuleKind: Kind<ForwardRule> = {
  noun: 'a forward',
  placeholder: 'LOCAL=TARGET/NAME|@FILE',
  example: '127.0.0.1:2222=home/ssh',
  parse(text, place) {
    const at = text.indexOf('=')
    if (at === -1)
      throw new Error('expected HOST:PORT=TARGET/NAME, or HOST:PORT=@FILE with a ticket in the file')
    const local = parseHostPort(text.slice(0, at), 0)
    const rest = text.slice(at + 1)
    if (rest === '' || rest === '-') throw new Error('the target is missing')
    if (rest.startsWith('@')) {
      const path = expandPath(rest.slice(1), place)
      return { local, target: `@${path}`, service: undefined }
    }
    const slash = rest.lastIndexOf('/')
    if (slash === -1) return { local, target: rest, service: undefined }
    return {
      local,
      target: rest.slice(0, slash),
      service: serviceNameKind.parse(rest.slice(slash + 1), place),
    }
  },
  print: ({ local, target, service }) =>
    `${printHostPort(local)}=${hideTickets(target)}${service === undefined ? '' : `/${service}`}`,
}
