/** What users, files and tickets write: options of each kind, targets, multiaddrs, configuration files. */

import fc from 'fast-check'
import { multiaddr } from '@multiformats/multiaddr'
import { forwardRuleKind } from '../../../peer/commands/options/forward-rule.ts'
import { parseTarget, readMultiaddr } from '../../../peer/connections/target.ts'
import { allowRuleKind, serviceKind } from '../../../peer/tunnel/listener/service-kinds.ts'
import { ruleKind } from '../../../relay/admission/rule.ts'
import { endpointOf, endsInPeerId, withoutPeerId } from '../../../src/addresses/endpoint.ts'
import { scopeOf } from '../../../src/addresses/scope.ts'
import { parseMultiaddr } from '../../../src/addresses/peer-id.ts'
import { parseConfigFile } from '../../../src/config/file.ts'
import { namedKinds } from '../../../src/config/kinds/kinds.ts'
import { placeAt } from '../../../src/config/paths.ts'
import { garbage, mutated, single } from '../frames.ts'
import { PEER } from './hop-messages.ts'
import { allow, joined, textInput } from '../surface.ts'
import { mutatedText, textInputs } from '../texts.ts'
import type { Kind } from '../../../src/config/kinds/kind.ts'
import type { Entry, Surface } from '../surface.ts'

const RELAY = `/ip4/192.0.2.1/tcp/4001/p2p/${PEER}`
const ADDRS = [
  RELAY,
  `${RELAY}/p2p-circuit/p2p/${PEER}`,
  '/ip6/2001:db8::1/tcp/443/tls/ws',
  '/dns4/relay.example.org/tcp/443/wss',
  '/dnsaddr/relay.example.org',
  `/ip6zone/eth0/ip6/fe80::1/tcp/1/p2p/${PEER}`,
  '/unix/%2Ftmp%2Fa',
  '/ip4/1.2.3.4/udp/1/quic-v1/certhash/uEiAkH5a4DPGKUuOBjYw0CgwjvcJCJMD2K_1aluKR_tpevQ',
]
const WORDS = [
  '/p2p/',
  '/p2p-circuit',
  '/ip4/',
  '/ip6/',
  '/ip6zone/',
  '/tcp/',
  '/unix/',
  '/certhash/',
  'bafk',
  'bafz',
  'k51',
  'Qm',
  '12D3KooW',
  '=',
  '@',
  '::ffff:192.0.2.1',
  '/120',
  '1e3',
  'MiB',
  '%',
  '\n- ',
  '&a ',
  '*a',
  '!!binary ',
  '{',
  '? ',
  '---\n',
  '...\n',
]

/** What a parser of multiaddrs throws. */
const MULTIADDR_ERRORS = ['Error', 'InvalidMultiaddrError', 'UnknownProtocolError', 'ValidationError']

function kindEntry(name: string, kind: Kind<unknown>, more: readonly string[] = []): Entry {
  const valid = [kind.example, ...more]
  return {
    name,
    inputs: textInputs(mutatedText(valid, WORDS)),
    valid: valid.map(textInput),
    start: () => input => {
      const place = placeAt('/tmp')
      allow([...MULTIADDR_ERRORS, 'NoHomeError'], () => {
        const value = kind.parse(joined(input).toString(), place)
        // a value prints as a text that the kind reads
        const printed = kind.print === undefined ? String(value) : kind.print(value)
        if (!printed.includes('(hidden)')) kind.parse(printed, place)
      })
    },
  }
}

const targets: Entry = {
  name: 'targets',
  inputs: textInputs(
    mutatedText([...ADDRS, PEER.toString(), PEER.toCID().toString(), '/ip4/1.2.3.4/tcp/1/p2p/bafk'], WORDS),
  ),
  valid: [textInput(RELAY)],
  start: () => input => {
    const text = joined(input).toString()
    allow(['InvalidTargetError'], () => parseTarget(text))
    allow(['InvalidTargetError'], () => readMultiaddr(text))
  },
}

/** Binary addresses come from remotes. Those that can be read are looked at in every way in which they are used. */
const binary: Entry = {
  name: 'binary-multiaddrs',
  inputs: single(fc.oneof(mutated(ADDRS.map(it => multiaddr(it).bytes)), garbage)),
  valid: ADDRS.map(it => [multiaddr(it).bytes]),
  start: () => input => {
    const names = [...MULTIADDR_ERRORS, 'RangeError', 'TypeError', 'SyntaxError', 'InvalidParametersError']
    allow(names, () => {
      const addr = multiaddr(joined(input))
      addr.getComponents()
      if (endsInPeerId(addr)) withoutPeerId(addr)
      parseMultiaddr(addr.toString())
      scopeOf(endpointOf(addr).host)
    })
  },
}

const CONFIG =
  'relay:\n  - /ip4/192.0.2.1/tcp/4001\nport: 0x10\ndata-dir: ./data\nname: "a\\tb"\nquiet: yes\n'

const yaml: Entry = {
  name: 'yaml',
  inputs: textInputs(
    mutatedText([CONFIG, '[1, [2, {a: b}]]', 'a: &x 1\nb: *x\n', '{"a": [1, 2]}', 'a: |\n  text\n'], WORDS),
  ),
  valid: [textInput(CONFIG)],
  start: () => input => {
    const { entries, problems } = parseConfigFile(joined(input).toString(), 'a.yaml', '/tmp')
    for (const { what, where } of problems)
      if (what.includes('undefined') || !/^a\.yaml:\d+$/.test(where))
        throw new Error(`A problem is not described: ${where} ${what}`)
    for (const { items } of entries)
      for (const { text } of items) if (typeof text !== 'string') throw new TypeError('A value is no text')
  },
}

export const options: Surface = {
  name: 'options',
  entries: [
    ...(
      [
        'duration',
        'size',
        'rate',
        'integer',
        'port',
        'host-port',
        'multiaddr',
        'relay-addr',
        'peer-id',
        'path',
      ] as const
    ).map(name => kindEntry(name, namedKinds[name] as Kind<unknown>)),
    kindEntry('service', serviceKind as Kind<unknown>),
    kindEntry('allow-rule', allowRuleKind as Kind<unknown>, ['web=anyone']),
    kindEntry('forward-rule', forwardRuleKind as Kind<unknown>),
    kindEntry('admission-rule', ruleKind as Kind<unknown>, ['2001:db8::/32', PEER.toString()]),
    targets,
    binary,
    yaml,
  ],
}
