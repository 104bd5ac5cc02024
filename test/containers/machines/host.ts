/**
 * A host's side of the network, for a program that shares it: sends everything through the router that `ROUTER` names instead of through
 * Docker's own gateway, and does so again whenever the container was connected to a network anew.
 *
 * Two routes, each to half of all addresses, go before Docker's default route and never conflict with it.
 */

import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { endOnSignal, ip, report } from './machine.ts'

const HALVES = ['0.0.0.0/1', '128.0.0.0/1']

endOnSignal()
const { ROUTER: router = '' } = process.env

// started first, so that nothing is missed between the first look and the first event
const changes = createInterface(spawn('ip', ['-4', 'monitor', 'address', 'route']).stdout)
let isRouted = false
update()
for await (const _ of changes) update()

/** A public host is in the network where everybody else is, and needs no router. */
function update(): void {
  const wasRouted = isRouted
  isRouted = router === '' ? isConnected() : setRoutes()
  if (isRouted !== wasRouted) report(isRouted ? 'host:connected' : 'host:disconnected')
}

function setRoutes(): boolean {
  if (!ip('-4', 'route', 'show').includes(`${prefixOf(router)}.0/24 dev`)) return false
  try {
    for (const half of HALVES)
      if (!ip('route', 'show', half).includes(`via ${router}`)) ip('route', 'replace', half, 'via', router)
    return true
  } catch {
    // the network has gone since it was looked for, which is the next event
    return false
  }
}

function isConnected(): boolean {
  return ip('-4', 'route', 'show').includes('/24 dev')
}

function prefixOf(address: string): string {
  return address.split('.').slice(0, 3).join('.')
}
