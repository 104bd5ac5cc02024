/**
 * Makes a base image for deploy/Dockerfile where none can be pulled:
 *
 *     node scripts/base-image.ts throughnat-base
 *     docker build -f deploy/Dockerfile --build-arg BASE=throughnat-base -t throughnat .
 *
 * Needs root, Debian, debootstrap and a Docker engine.
 */

import { importBase } from './containers/base-image.ts'

const [tag, ...rest] = process.argv.slice(2)
if (tag === undefined || tag.startsWith('-') || rest.length > 0) {
  console.error('Usage: node scripts/base-image.ts TAG')
  process.exit(2)
}
await importBase(tag)
