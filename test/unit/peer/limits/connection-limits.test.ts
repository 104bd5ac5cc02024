/** The documents give the limits that are in force. */
import { strict as assert } from 'node:assert'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import {
  CONNECTION_LIMITS,
  IDLE_CIRCUITS_PER_RELAY,
  LOOSE_STRANGERS,
  MAX_UPGRADE_MS,
  PENDING_LIMITS,
  SETTLED_MS,
  STRANGER_IDLE_MS,
} from '../../../../peer/limits/connection-limits.ts'
import { defaultLimits, OLD_REQUESTS } from '../../../../peer/tunnel/listener/service-limits.ts'

/** A document on one line, without the padding of its tables. */
async function textOf(name: string): Promise<string> {
  const text = await readFile(new URL(`../../../../docs/${name}`, import.meta.url), 'utf8')
  return text.replace(/\s+/g, ' ')
}

test('docs/services.md gives the limits of each rank', async () => {
  const text = await textOf('services.md')
  const { used, known, strangers, strangersPerRelay, strangersPerNetwork, perStranger } = CONNECTION_LIMITS
  const {
    sockets,
    socketsPerNetwork,
    circuitsPerRelay,
    circuitsPerPeer,
    socketsPerSecond,
    circuitsPerSecond,
  } = PENDING_LIMITS
  for (const statement of [
    `| connections | ${strangers}; of these ${strangersPerRelay} over one relay, ${strangersPerNetwork} from one IPv4 /24 or IPv6 /56, and ${perStranger} from one peer over each relay or network |`,
    `| known: ${used} in use and ${known} idle, ${CONNECTION_LIMITS.perKnownPeer} from one peer; named: ${CONNECTION_LIMITS.perNamedPeer} from one peer |`,
    `| ${sockets}; of these ${socketsPerNetwork} from one IPv4 /24 or IPv6 /56 |`,
    `| ${circuitsPerRelay} over one relay, ${circuitsPerPeer} from one peer |`,
    `| ${socketsPerSecond} from one IPv4 address or IPv6 /56 |`,
    `| ${circuitsPerSecond} over one relay | no limit |`,
    `| ${defaultLimits.connections}, of these ${defaultLimits.connectionsPerPeer} from one peer, ${OLD_REQUESTS.max} of them older than ${OLD_REQUESTS.olderThanMs / 1000} s |`,
    `used no service for ${STRANGER_IDLE_MS / 1000} s. Time for the upgrade to a direct path, up to ${MAX_UPGRADE_MS / 1000} s,`,
    `more than ${IDLE_CIRCUITS_PER_RELAY} circuits of one relay idle for more than ${SETTLED_MS / 1000} s`,
  ])
    assert.ok(text.includes(statement), statement)
})

test('docs/embedding.md gives the limits of an application that ranks nobody', async () => {
  const text = await textOf('embedding.md')
  const { strangers, perStranger } = LOOSE_STRANGERS
  for (const statement of [
    `share ${strangers} places, ${perStranger} from one peer`,
    `With \`rankOf\`, strangers have ${CONNECTION_LIMITS.strangers} places`,
    `no stream of an application for ${STRANGER_IDLE_MS / 1000} s is closed`,
    `Connections with a stream have ${CONNECTION_LIMITS.used} places`,
  ])
    assert.ok(text.includes(statement), statement)
})
