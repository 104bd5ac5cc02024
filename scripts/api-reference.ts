/** `npm run docs`: writes docs/api.md. */

import { writeFileSync } from 'node:fs'
import { API_DOCUMENT, apiDocument } from './api-reference/document.ts'

writeFileSync(API_DOCUMENT, apiDocument())
