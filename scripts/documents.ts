/** `npm run docs`: writes docs/api.md, the manual pages, and the limits of a relay in other documents. */

import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { API_DOCUMENT, apiDocument } from './api-reference/document.ts'
import { manPages } from './man-pages.ts'
import { limitDocuments } from './relay-limits.ts'

writeFileSync(API_DOCUMENT, apiDocument())
for (const [path, page] of [...manPages, ...limitDocuments]) {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, page)
}
