/** The programs share an environment: each knows the names of the other's options. */

import assert from 'node:assert/strict'
import { it } from 'node:test'
import { peerCommands, RELAY_OPTIONS } from '../../../../peer/commands/program.ts'
import { relayCommand } from '../../../../relay/commands/run-relay.ts'
import { PEER_OPTIONS } from '../../../../relay/commands/program.ts'
import { nameOptions } from '../../../../src/config/options.ts'
import type { Command } from '../../../../src/cli/command.ts'

function namesOf(commands: readonly Command[]): Set<string> {
  return new Set(commands.flatMap(({ options }) => nameOptions(options).map(({ name }) => name)))
}

const [ofRelay, ofPeer] = [namesOf([relayCommand]), namesOf(peerCommands)]

it('throughnat passes over the variables of throughnat-relay', () => {
  assert.deepEqual([...RELAY_OPTIONS].toSorted(), [...ofRelay].filter(name => !ofPeer.has(name)).toSorted())
})

it('throughnat-relay passes over the variables of throughnat', () => {
  assert.deepEqual([...PEER_OPTIONS].toSorted(), [...ofPeer].filter(name => !ofRelay.has(name)).toSorted())
})
