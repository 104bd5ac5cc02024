/** A test that leaves evidence when it fails: what every container has said, and the rules and counters of the routers. */

import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { it } from 'node:test'
import { run } from '../lab/net/command.ts'
import { docker, listContainers } from './docker.ts'
import type { TestContext } from 'node:test'

/** Below the directory that the tests are run from. */
const EVIDENCE = 'test-results/containers'

/** As `it`. */
export function scenario(title: string, play: (t: TestContext) => Promise<void>): void {
  it(title, async t => {
    try {
      await play(t)
    } catch (error) {
      const directory = join(EVIDENCE, title.replaceAll(/[^\w.-]+/g, '-'))
      await keepEvidence(directory)
      ;(error as Error).message += ` (evidence in ${directory})`
      throw error
    }
  })
}

async function keepEvidence(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true })
  for (const name of await listContainers()) {
    const { stdout, stderr } = await run(['docker', 'logs', '--timestamps', name])
    await writeFile(join(directory, `${name}.log`), `${stdout}${stderr}`)
    if (!name.endsWith('-router')) continue
    // a router that has ended has no rules
    const rules = docker('exec', name, 'nft', 'list', 'ruleset').catch((error: unknown) => String(error))
    await writeFile(join(directory, `${name}.nft`), await rules)
  }
}
