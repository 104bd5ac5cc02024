/** The NAT matrix, continued: arrangements that are not one NAT on either side. */

import { describe, it } from 'node:test'
import { createStage } from './stage.ts'
import { runTrial } from './trial.ts'
import type { NatKindName } from './net/network.ts'
import type { Outcome } from './matrix.ts'
import type { Remote } from './remote.ts'
import type { Stage } from './stage.ts'

const { THROUGHNAT_LAB_RUNS = '1', THROUGHNAT_LAB_DELAY = '20', THROUGHNAT_LAB_JITTER = '0' } = process.env
const runs = Number(THROUGHNAT_LAB_RUNS)
const impairment = { delayMs: Number(THROUGHNAT_LAB_DELAY), jitterMs: Number(THROUGHNAT_LAB_JITTER) }

interface Arrangement {
  title: string
  expected: Outcome
  family?: 4 | 6
  build: (stage: Stage) => Promise<[dialer: Remote, listener: Remote]>
}

const pair = async (stage: Stage, dialer: NatKindName, listener: NatKindName): Promise<[Remote, Remote]> => [
  await stage.place('dialer', dialer),
  await stage.place('listener', listener),
]

const nested = async (
  stage: Stage,
  name: string,
  carrier: NatKindName,
  home: NatKindName,
): Promise<Remote> => {
  const behind = await stage.net.addNat(`${name}-carrier`, carrier)
  return stage.placeBehind(name, await stage.net.addNat(`${name}-home`, home, { behind }))
}

const sameNat = async (stage: Stage, kind: NatKindName, hairpinning: boolean): Promise<[Remote, Remote]> => {
  const nat = await stage.net.addNat('nat', kind, { hairpinning })
  return [await stage.placeBehind('dialer', nat), await stage.placeBehind('listener', nat)]
}

const arrangements: Arrangement[] = [
  {
    title: 'a dialer behind two NATs in a row ends direct',
    expected: 'direct',
    build: async stage => [
      await nested(stage, 'dialer', 'eim-apdf-drop', 'eim-apdf-drop'),
      await stage.place('listener', 'eim-apdf-drop'),
    ],
  },
  {
    title: 'both behind two NATs in a row, whose inner ones answer by RST, end direct',
    expected: 'direct',
    build: async stage => [
      await nested(stage, 'dialer', 'eim-apdf-drop', 'eim-apdf-rst'),
      await nested(stage, 'listener', 'eim-apdf-rst', 'eim-apdf-drop'),
    ],
  },
  {
    title: 'a carrier NAT that picks a new port for each destination keeps a home NAT relayed',
    expected: 'relayed',
    build: async stage => [
      await nested(stage, 'dialer', 'apdm-apdf-drop', 'eim-apdf-drop'),
      await stage.place('listener', 'eim-apdf-drop'),
    ],
  },
  {
    title: 'two peers behind one NAT that hairpins end direct',
    expected: 'direct',
    build: async stage => sameNat(stage, 'eim-apdf-drop', true),
  },
  {
    title: 'two peers behind one NAT that does not hairpin end direct, by their private addresses',
    expected: 'direct',
    build: async stage => sameNat(stage, 'eim-apdf-drop', false),
  },
  {
    title:
      'two peers behind one NAT that picks a new port for each destination end direct, by their private addresses',
    expected: 'direct',
    build: async stage => sameNat(stage, 'apdm-apdf-rst', false),
  },
  {
    title: 'an IPv6 pair behind stateful firewalls ends direct',
    expected: 'direct',
    family: 6,
    build: async stage => pair(stage, 'firewall6', 'firewall6'),
  },
  {
    title: 'an IPv6 pair behind stateful firewalls that answer by RST and ICMP ends direct',
    expected: 'direct',
    family: 6,
    build: async stage => pair(stage, 'firewall6-rst', 'firewall6-icmp'),
  },
]

describe('arrangements of NATs', { concurrency: 2 }, () => {
  for (const { title, expected, family = 4, build } of arrangements)
    it(title, async () => {
      await using stage = await createStage(impairment)
      const [dialer, listener] = await build(stage)
      await stage.net.capture()
      const cast = stage.cast(dialer, listener, family)
      for (let run = 1; run <= (expected === 'direct' ? runs : 1); run++)
        await stage.evident(`${title}, run ${run}`, async () => runTrial(cast, expected))
    })
})
