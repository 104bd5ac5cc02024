/** The example configurations name every option of their command, and what they say can be used. */

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { peerCommands } from '../../peer/commands/program.ts'
import { relayCommand } from '../../relay/commands/relay.ts'
import { withGlobalOptions } from '../../src/cli/command-line/global-options.ts'
import { parseConfigFile } from '../../src/config/file.ts'
import { nameOptions } from '../../src/config/options.ts'
import { resolveOptions } from './src/config/resolve-options.ts'

const up = peerCommands.find(({ name }) => name === 'up')
assert.ok(up !== undefined)

for (const [file, { options }] of [
  ['relay.example.yaml', relayCommand],
  ['peer.example.yaml', up],
] as const) {
  const path = new URL(`../../deploy/${file}`, import.meta.url)
  const table = withGlobalOptions(options)

  describe(file, () => {
    it('has each key once, as it is or in a comment', async () => {
      const text = await readFile(path, 'utf8')
      const keys = [...text.matchAll(/^(?:# )?([a-z0-9-]+): \S/gm)].map(match => String(match[1]))
      const expected = nameOptions(table).filter(
        ({ spec, name }) => spec.flagOnly !== true && name !== 'config',
      )
      assert.deepEqual([...new Set(keys)].toSorted(), expected.map(({ name }) => name).toSorted())
    })

    it('sets what is not a comment to its default', async () => {
      const parsed = parseConfigFile(await readFile(path, 'utf8'), file, '/')
      const { config } = resolveOptions(table, { file: parsed })
      const { config: defaults } = resolveOptions(table, {})
      assert.deepEqual(JSON.parse(JSON.stringify(config)), JSON.parse(JSON.stringify(defaults)))
    })

    it('has only values that can be used, in its comments too', async () => {
      const text = (await readFile(path, 'utf8'))
        .replace(/^listen: .*$/m, '')
        .replace(/^# ([a-z0-9-]+: \S)/gm, '$1')
      resolveOptions(table, { file: parseConfigFile(text, file, '/') })
    })
  })
}
