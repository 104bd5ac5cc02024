/** What `throughnat netcheck` does. */

import { relayAddrKind } from '../../../src/config/kinds/address-kinds.ts'
import { InvalidConfigError, UnreachableError } from '../../../src/errors.ts'
import { quietLogger } from '../../../src/patches/libp2p/quiet-logger.ts'
import { assertRuntime } from '../../../src/node/runtime.ts'
import { runNetcheck } from '../../netcheck/netcheck.ts'
import { probePortMapping } from '../../port-mapping/probe.ts'
import type { NetcheckReport } from '../../netcheck/report.ts'
import type { RunNetcheck } from '../netcheck.ts'

/** Tests the network, and prints the report. */
export const runNetcheckCommand: RunNetcheck = async ({ relays, timeoutMs }, { output, signal }) => {
  if (relays.length === 0) {
    const what = `missing; expected ${relayAddrKind.noun}, as in ${relayAddrKind.example}. Two relays on different hosts reveal most`
    throw new InvalidConfigError([{ where: '--relay', what }])
  }
  assertRuntime()
  output.note('Testing the network. This takes up to 15 seconds.')
  const report = await runNetcheck(relays, { signal, timeoutMs, probePortMapping, logger: quietLogger() })
  output.event('netcheck', { ...report }, describe(report))
  if (report.relays.every(it => it.rttMs === null)) throw new UnreachableError('No relay was reached.')
}

function describe(report: NetcheckReport): string {
  const { ipv6, portMapping, why } = report
  const yesNo = (value: boolean | null): string => (value === null ? 'unknown' : value ? 'yes' : 'no')
  const protocols = Object.entries(portMapping ?? {})
    .filter(([, isThere]) => isThere)
    .map(([name]) => name)
  const rows: Array<[name: string, value: string, reason: string | undefined]> = [
    ['Mapping', report.mapping, why.mapping],
    ['Filtering', report.filtering, why.filtering],
    ['Port preserved', yesNo(report.portPreserving), why.portPreserving],
    ['Unexpected packets', report.unsolicited, why.unsolicited],
    ['Hairpinning', yesNo(report.hairpinning), why.hairpinning],
    ['Second NAT', yesNo(report.doubleNat), why.doubleNat],
    ['Port mapping', portMapping === null ? 'unknown' : protocols.join(', ') || 'none', why.portMapping],
    ['Only port 443', yesNo(report.only443), why.only443],
    ['IPv6', ipv6.address ?? 'none', undefined],
    ...(ipv6.relays === true
      ? [['IPv6 filtering', ipv6.filtering, why['ipv6.filtering']] as [string, string, string | undefined]]
      : []),
  ]
  const width = Math.max(...rows.map(([name]) => name.length))
  return [
    ...rows.map(([name, value, reason]) => line(name.padEnd(width), value, reason)),
    ...report.observed.map(it => `Port ${it.localPort} appears as ${it.endpoint} to ${it.relay}`),
    ...report.relays.map(it => `${it.addr}: ${it.rttMs === null ? it.problem : `${it.rttMs.toFixed(1)} ms`}`),
    '',
    report.verdict,
  ].join('\n')
}

function line(name: string, value: string, reason: string | undefined): string {
  return `${name}  ${value}${reason === undefined ? '' : ` (${reason})`}`
}
