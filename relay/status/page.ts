/**
 * The status page: the content of `/status` as HTML.
 *
 * The page is complete without scripts. Its script fetches the page again and applies what has changed. The
 * page loads nothing from other hosts.
 */

import { createHash } from 'node:crypto'
import prettyBytes from 'pretty-bytes'
import { printValue } from '../../src/config/kinds/kind.ts'
import { nameOptions } from '../../src/config/options.ts'
import { limitOptions } from '../limits/options.ts'
import type { Limits } from '../limits/limits.ts'
import type { Snapshot } from './snapshot.ts'

/** How often the page refreshes itself, in milliseconds. */
const REFRESH_MS = 3000

const STYLE = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 0 auto; padding: 1rem; overflow-wrap: anywhere; }
#stale { margin: 0; font-weight: bold; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: 1rem; }
dl div { border: 1px solid; border-radius: .5rem; padding: .5rem 1rem; }
dd { margin: 0; font-size: 1.4rem; font-variant-numeric: tabular-nums; overflow-wrap: normal; }
.table { overflow-x: auto; }
table { border-collapse: collapse; min-width: 100%; }
th, td { text-align: left; padding: .25rem 1rem .25rem 0; border-bottom: 1px solid; white-space: nowrap; }
th.number, td.number { text-align: right; font-variant-numeric: tabular-nums; }
`

/**
 * Replaces only the nodes that differ, so that focus, selection and the scroll positions of tables survive.
 */
const SCRIPT = `
const update = (old, fresh) => {
  if (old.isEqualNode(fresh)) return
  const [were, are] = [[...old.childNodes], [...fresh.childNodes]]
  if (old.nodeName !== fresh.nodeName || were.length === 0 || were.length !== are.length) old.replaceWith(fresh)
  else were.forEach((node, i) => update(node, are[i]))
}
const { title } = document
const tell = problem => {
  const stale = document.querySelector('#stale')
  if (stale.textContent !== problem) stale.textContent = problem
  document.title = problem === '' ? title : title + ' (not answering)'
}
let seenAt = new Date()
setInterval(async () => {
  try {
    const response = await fetch('/', { cache: 'no-store', signal: AbortSignal.timeout(${REFRESH_MS}) })
    if (!response.ok) throw new Error(response.statusText)
    const page = new DOMParser().parseFromString(await response.text(), 'text/html')
    update(document.querySelector('main'), page.querySelector('main'))
    seenAt = new Date()
    tell('')
  } catch {
    tell('The relay does not answer. This page shows its state at ' + seenAt.toLocaleTimeString() + '.')
  }
}, ${REFRESH_MS})
`

const hashOf = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`

/** The Content-Security-Policy of the page: only its own style and script, and requests to its own origin. */
export const PAGE_POLICY = [
  "default-src 'none'",
  `style-src ${hashOf(STYLE)}`,
  `script-src ${hashOf(SCRIPT)}`,
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** Renders the page. */
export function renderPage(snapshot: Snapshot): string {
  const { peerId, isDraining, version } = snapshot
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>throughnat relay ${escapeHtml(peerId.slice(-6))}</title>
<style>${STYLE}</style>
</head>
<body>
<p id="stale" role="status"></p>
<main>
<h1>throughnat relay: ${isDraining ? 'draining' : 'ready'}</h1>
<p>${isDraining ? 'The relay refuses new reservations and circuits. It stops when its circuits have ended.' : 'Peers reach each other through these addresses:'}</p>
${isDraining ? '' : list(snapshot.addrs)}
${figures(snapshot)}
${peersTable(snapshot)}
${reservationsTable(snapshot)}
${limitsTable(snapshot)}
<p>Version ${escapeHtml(version)}, up since ${escapeHtml(snapshot.startedAt)}. For programs: <a href="/status">/status</a>, <a href="/metrics">/metrics</a>.</p>
</main>
<script>${SCRIPT}</script>
</body>
</html>
`
}

function figures({ reservations, circuits, connections, bytesTransferred, limits }: Snapshot): string {
  const { toInitiator, toResponder } = bytesTransferred
  const rows: Array<[string, string]> = [
    ['Reservations', `${reservations.count} of ${limits.maxReservations}`],
    ['Circuits', `${circuits} of ${limits.maxCircuits}`],
    ['Connections', `${connections} of ${limits.maxConnections}`],
    ['Carried', prettyBytes(toInitiator + toResponder, { binary: true })],
  ]
  const items = rows.map(([term, value]) => `<div><dt>${term}</dt><dd>${escapeHtml(value)}</dd></div>`)
  return `<dl>${items.join('')}</dl>`
}

function peersTable({ peers }: Snapshot): string {
  const head = ['Peer', 'Circuits', 'From it', 'To it', 'Refused']
  const rows = peers.map(it => [
    it.peerId,
    it.circuits,
    prettyBytes(it.bytesIn, { binary: true }),
    prettyBytes(it.bytesOut, { binary: true }),
    it.refusals,
  ])
  return table('Peers whose circuits carried most', head, rows)
}

function reservationsTable({ reservations }: Snapshot): string {
  const rows = reservations.newest.map(it => [it.peerId, it.remoteAddr, it.expiresAt])
  return table('Newest reservations', ['Peer', 'From', 'Until'], rows)
}

/** Uses the names and units of the options. */
function limitsTable({ limits }: Snapshot): string {
  const rows = nameOptions(limitOptions)
    .filter(({ key }) => key in limits)
    .map(({ key, name, kind }) => {
      const limit = limits[key as keyof Limits]
      return [name, limit === 'unlimited' ? limit : printValue(kind, limit)]
    })
  return table('Limits', ['Limit', 'Value'], rows)
}

function table(
  title: string,
  head: readonly string[],
  rows: ReadonlyArray<readonly (string | number)[]>,
): string {
  if (rows.length === 0) return ''
  const cells = (row: readonly (string | number)[]): string =>
    row.map((cell, i) => `<td${i > 0 ? ' class="number"' : ''}>${escapeHtml(String(cell))}</td>`).join('')
  return `<h2>${title}</h2>
<div class="table" tabindex="0" role="region" aria-label="${title}"><table>
<thead><tr>${head.map((cell, i) => `<th scope="col"${i > 0 ? ' class="number"' : ''}>${cell}</th>`).join('')}</tr></thead>
<tbody>${rows.map(row => `<tr>${cells(row)}</tr>`).join('')}</tbody>
</table></div>`
}

function list(items: readonly string[]): string {
  return `<ul>${items.map(item => `<li><code>${escapeHtml(item)}</code></li>`).join('')}</ul>`
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`)
}
