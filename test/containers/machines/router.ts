/**
 * A router: a NAT of the kind that `KIND` names, by the NAT lab's own rules, between the network in which it has `EXTERNAL_ADDRESS`
 * and the one in which it has `LAN_ADDRESS`. It forgets everything when its container restarts.
 */

import { execFileSync } from 'node:child_process'
import { natKinds } from '../../lab/net/nat-kind.ts'
import { ruleSet } from '../../lab/net/rule-set.ts'
import { deviceOf, endOnSignal, ip, report, setting } from './machine.ts'
import type { NatKind } from '../../lab/net/nat-kind.ts'

const kinds: Readonly<Record<string, NatKind>> = natKinds

endOnSignal()
const name = setting('KIND')
const kind = kinds[name]
if (kind === undefined) throw new Error(`unknown KIND ${name}; known are ${Object.keys(kinds).join(', ')}`)
const externalAddress = setting('EXTERNAL_ADDRESS')
const wan = deviceOf(externalAddress)
const lan = deviceOf(setting('LAN_ADDRESS'))
if (wan === undefined || lan === undefined) throw new Error('a network is missing')

// the rules know the lab's names of the devices
const rules = ruleSet({ kind, externalAddress })
  .replaceAll('"wan0"', `"${wan}"`)
  .replaceAll('"lan0"', `"${lan}"`)
execFileSync('nft', ['-f', '-'], { input: rules, stdio: ['pipe', 'inherit', 'inherit'] })

// Docker's own way out: everybody there is has an address in the networks that the router is in
for (const route of ip('route', 'show', 'default').split('\n'))
  if (route !== '') ip('route', 'del', ...words(route))

report('router:ready', { kind: name, wan, lan })
// nothing else to do until it is stopped
setInterval(() => {}, 2 ** 30)

function words(route: string): string[] {
  return route.trim().split(/\s+/)
}
