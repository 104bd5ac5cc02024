/** `npm run docs`: writes docs/api.md, docs/dependencies.md, the manual pages, and the limits in other documents. */

import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { API_DOCUMENT, apiDocument } from './api-reference/document.ts'
import { DEPENDENCY_DOCUMENT, dependencyDocument } from './dependencies/document.ts'
import { manPages } from './man-pages.ts'
import { limitDocuments } from './relay-limits.ts'
import { SECURITY_DOCUMENT, securityDocument } from './security-bounds/document.ts'

writeFileSync(API_DOCUMENT, apiDocument())
writeFileSync(DEPENDENCY_DOCUMENT, dependencyDocument())
writeFileSync(SECURITY_DOCUMENT, securityDocument())
for (const [path, page] of [...manPages, ...limitDocuments]) {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, page)
}
