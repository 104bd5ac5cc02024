/** Builds the images of the tests: the one that is shipped, and the machines around it. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { ensureBase } from './base-image.ts'

const IMAGES = [
  { tag: 'throughnat-test-program', dockerfile: 'deploy/Dockerfile', context: '.' },
  { tag: 'throughnat-test-machine', dockerfile: 'test/containers/machines/Dockerfile', context: 'test' },
]

/** Resolves when the engine has the images as the sources are now. What has not changed comes from its cache. */
export async function buildImages(signal: AbortSignal): Promise<void> {
  const base = await ensureBase()
  for (const { tag, dockerfile, context } of IMAGES) {
    console.log(`Building ${tag} (from ${base})`)
    // npm and apt have to be reached in the way in which this machine reaches them
    const reach = ['--network', 'host', '--build-arg', `BASE=${base}`]
    await build(['build', ...reach, '--file', dockerfile, '--tag', tag, context], signal)
  }
}

/** Shows what was printed only if it fails: it is long. */
async function build(args: readonly string[], signal: AbortSignal): Promise<void> {
  const child = spawn('docker', args, { signal, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new Error(`${said}\ndocker ${args.join(' ')} failed: ${code}`)
}
