/** `npm run docs`: writes docs/api.md and the manual pages. */

import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { API_DOCUMENT, apiDocument } from './api-reference/document.ts'
import { manPages } from './man-pages.ts'

writeFileSync(API_DOCUMENT, apiDocument())
for (const [path, page] of manPages) {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, page)
}
