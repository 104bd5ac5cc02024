/** What the image promises whoever runs it, be it as a relay or as a peer. */

import assert from 'node:assert/strict'
import { after, before, describe } from 'node:test'
import { docker, PROJECT } from './docker.ts'
import { scenario } from './scenario.ts'
import { Stage } from './stage.ts'

/** Whom deploy/Dockerfile lets the programs run as: no user of any system. */
const NOBODY = '65532'

describe('the image', { concurrency: 1 }, () => {
  let stage: Stage
  before(async () => {
    stage = await Stage.create()
    await stage.place({ home: 'eim-apdf-drop', away: 'none' })
  })
  after(async () => stage?.close())

  for (const service of ['relay1', 'home']) {
    const name = `${PROJECT}-${service}`

    scenario(`runs as nobody in ${service}, which can write nothing but its data`, async () => {
      assert.equal(await docker('exec', name, 'id', '-u'), NOBODY)
      assert.equal(await docker('exec', name, 'stat', '--format', '%u', '/proc/1'), NOBODY)
      await docker('exec', name, 'test', '-w', '/data')
      await assert.rejects(docker('exec', name, 'touch', '/app/x'), /Read-only file system|Permission denied/)
    })

    scenario(`finds ${service} healthy`, async () => {
      const config = await docker('inspect', '--format', '{{json .Config.Healthcheck.Test}}', name)
      const [kind, ...command] = JSON.parse(config) as string[]
      assert.equal(kind, 'CMD')
      await docker('exec', name, ...command)
    })
  }

  scenario('finds a relay unhealthy whose status server does not answer', async () => {
    const config = await docker(
      'inspect',
      '--format',
      '{{json .Config.Healthcheck.Test}}',
      `${PROJECT}-relay1`,
    )
    const [, ...command] = JSON.parse(config) as string[]
    const elsewhere = command.map(part => part.replace('4002', '4003'))
    assert.notDeepEqual(elsewhere, command)
    await assert.rejects(docker('exec', `${PROJECT}-relay1`, ...elsewhere), /exit code 1/)
  })

  scenario('keeps the identity of a relay in its volume', async () => {
    const peerId = async (): Promise<unknown> => (await stage.relays.relay2.event('relay:ready'))['peerId']
    const before = await peerId()
    await stage.replaceRelay('relay2')
    assert.equal(await peerId(), before)
  })
})
