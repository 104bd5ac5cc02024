/** The documents say what the code does: names, reasons and exit codes of errors, the API reference, and links. */

import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { API_DOCUMENT, apiDocument } from '../../scripts/api-reference/document.ts'
import { manPages } from '../../scripts/man-pages.ts'
import { limitDocuments } from '../../scripts/relay-limits.ts'
import { bounds } from '../../scripts/security-bounds/bounds.ts'
import { constantIn } from '../../scripts/security-bounds/constant.ts'
import { SECURITY_DOCUMENT, securityDocument } from '../../scripts/security-bounds/document.ts'
import { peerProgram } from '../../peer/commands/program.ts'
import { relayProgram } from '../../relay/commands/program.ts'
import { CEILING_BYTES, FLOOR_BYTES } from '../../peer/tunnel/resume/memory-budget.ts'
import { defaultLimits } from '../../peer/tunnel/listener/service-limits.ts'
import { MAX_MESSAGE_BYTES } from '../../peer/tunnel/wire/message.ts'
import { MAX_SERVICE_NAME_LENGTH } from '../../peer/tunnel/wire/protocol.ts'
import { nameOptions } from '../../src/config/options.ts'
import { serviceNameKind } from '../../peer/tunnel/listener/service-kinds.ts'
import { exitCodeOf, exitCodes } from '../../src/cli/exit-codes.ts'
import { DEFAULT_PROFILE, profiles } from '../../relay/limits/limits.ts'
import { Status } from '../../src/protocols/circuit-relay/messages.ts'
import * as errors from '../../src/errors.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')

const errorDocument = read('docs/errors.md')
const errorNames = Object.values(errors).flatMap(it => (typeof it === 'function' ? [it.name] : []))

describe('docs/errors.md', () => {
  for (const name of errorNames) {
    it(`explains ${name}`, () => assert.match(errorDocument, new RegExp(`^## ${name}$`, 'm')))

    it(`tells the exit code of ${name}`, () => {
      const exitCode = exitCodeOf(Object.assign(new Error(), { name }))
      assert.match(
        errorDocument,
        new RegExp(`^\\| \\[${name}\\]\\(#${name.toLowerCase()}\\) +\\| ${exitCode} +\\|`, 'm'),
      )
    })
  }

  it('explains no class that does not exist', () => {
    const explained = [...errorDocument.matchAll(/^## (\w+Error)$/gm)].map(([, name = '']) => name)
    assert.deepEqual(explained.toSorted(), errorNames.toSorted())
  })

  it('explains every reason of a hole punch that failed, and no other', () => {
    assert.deepEqual(
      headingsOf(chapter('HolePunchFailedError')),
      Object.keys(errors.holePunchAdvice).toSorted(),
    )
  })

  it('explains every reason of a service that was refused', () => {
    const union = /type ServiceFailure = (.*)/.exec(read('src/errors.ts'))?.[1] ?? ''
    const reasons = [...union.matchAll(/'([\w-]+)'/g)].map(([, reason = '']) => reason)
    assert.ok(reasons.length > 0)
    assert.deepEqual(headingsOf(chapter('ServiceRefusedError')), reasons.toSorted())
  })

  function chapter(name: string): string {
    return errorDocument.split(/^## /m).find(it => it.startsWith(`${name}\n`)) ?? ''
  }

  function headingsOf(text: string): string[] {
    return [...text.matchAll(/^### `([\w-]+)`$/gm)].map(([, name = '']) => name).toSorted()
  }
})

describe('docs/troubleshooting.md', () => {
  const text = read('docs/troubleshooting.md')
  const chapters = text.split(/^## /m)
  const cellsOf = (heading: string): string[] =>
    [...(chapters.find(it => it.startsWith(heading)) ?? '').matchAll(/^\| `?([\w-]+)`? \|/gm)].map(
      ([, cell = '']) => cell,
    )

  for (const name of errorNames)
    it(`leads from ${name} to its explanation`, () =>
      assert.ok(text.includes(`| [${name}](errors.md#${name.toLowerCase()}) |`)))

  it('says what to do for every reason of a hole punch that failed, and for no other', () => {
    const reasons = cellsOf('By reason').filter(it => it !== 'reason' && !it.startsWith('-'))
    assert.deepEqual(reasons.toSorted(), Object.keys(errors.holePunchAdvice).toSorted())
  })

  it('has every exit code', () => {
    const codes = cellsOf('By exit code').filter(it => /^\d+$/.test(it))
    assert.deepEqual(codes, Object.values(exitCodes).map(String))
  })

  it('names every status with which a relay refuses', () => {
    const refusals = ['RESERVATION_REFUSED', 'RESOURCE_LIMIT_EXCEEDED', 'PERMISSION_DENIED'] as const
    for (const status of [...refusals, 'CONNECTION_FAILED', 'NO_RESERVATION'] as const) {
      assert.ok(status in Status)
      assert.ok(text.includes(`\`${status}\``), status)
    }
  })
})

describe('docs/tunnel-protocol.md', () => {
  const text = read('docs/tunnel-protocol.md')
  const row = (name: string, value: string): RegExp => new RegExp(`^\\| ${name} +\\| ${value} +\\|`, 'm')

  it('has the limits of the listener', () => {
    const { requestMs, connectMs, connectionsPerPeer, connections, keptMs } = defaultLimits
    assert.match(text, row('time for the request', `${requestMs / 1000} s`))
    assert.match(text, row('time for the service to accept', `${connectMs / 1000} s`))
    assert.match(text, row('time to resume', `${keptMs / 1000} s`))
    assert.match(text, row('connections of one remote peer', String(connectionsPerPeer)))
    assert.match(text, row('connections of all other remote peers', String(connections)))
  })

  it('has the size of a message and of the window', () => {
    assert.match(text, row('size of a request or an answer', `${MAX_MESSAGE_BYTES / 1024} KiB`))
    assert.ok(text.includes(`The window is ${FLOOR_BYTES / 1024} KiB at first.`))
    assert.ok(text.includes(`up to ${CEILING_BYTES / 1024 ** 2} MiB`))
  })

  it('has the rule for names on the wire, and docs/services.md that of the options', () => {
    assert.ok(text.includes(`has 1 to ${MAX_SERVICE_NAME_LENGTH} letters`))
    const longest = 'a'.repeat(Number(/A name has 1 to (\d+) lower-case/.exec(read('docs/services.md'))?.[1]))
    const place = { directory: '/', home: '/' }
    assert.equal(serviceNameKind.parse(longest, place), longest)
    for (const name of [`${longest}a`, 'A', 'a_b', 'a.b', '-a', ''])
      assert.throws(() => serviceNameKind.parse(name, place), name)
  })
})

describe('the limits of a relay', () => {
  for (const [path, text] of limitDocuments)
    it(`are in ${basename(path)} as \`npm run docs\` writes them`, () => {
      assert.ok(readFileSync(path, 'utf8') === text, 'run `npm run docs`')
    })

  it('in deploy/relay.example.yaml are those of the default profile', () => {
    assert.match(read('deploy/relay.example.yaml'), new RegExp(`^profile: ${DEFAULT_PROFILE}$`, 'm'))
  })

  it('are told in README.md as they are', () => {
    const { circuitBytesPerSecond, totalBytesPerSecond } = profiles.open
    const mebibytes = (bytes: number): string => `${bytes / 1024 ** 2} MiB/s`
    const sentence = `${mebibytes(circuitBytesPerSecond)} a circuit and peer, ${mebibytes(totalBytesPerSecond)} in total`
    assert.ok(read('README.md').includes(sentence), sentence)
  })
})

describe('docs/security-model.md', () => {
  const text = readFileSync(SECURITY_DOCUMENT, 'utf8')

  it('has the bounds as `npm run docs` writes them from the source', () => {
    assert.ok(text === securityDocument(), 'run `npm run docs`')
  })

  it('has bounds for everybody who is not trusted, from files that exist', () => {
    for (const rows of Object.values(bounds)) {
      assert.ok(rows.length > 0)
      for (const { paths, limit } of rows) {
        assert.doesNotMatch(limit, /NaN|undefined|Infinity/)
        for (const path of paths) assert.ok(existsSync(join(ROOT, path)), path)
      }
    }
  })

  it('takes no number from a constant that is not there, or is no number', () => {
    for (const [path, name] of [
      ['peer/tickets/ticket-book.ts', 'NO_SUCH'],
      ['peer/tickets/ticket-book.ts', 'GUESSES'],
      ['peer/tickets/ticket-book.ts', 'GUESSES.none'],
      ['src/protocols/relay-auth.ts', 'RELAY_TOKEN_PROTOCOL'],
    ] as const)
      assert.throws(() => constantIn(path, name), /has no number/)
    assert.equal(constantIn('src/muxer/muxer.ts', 'MAX_WINDOW_BYTES').value, 4 * 1024 ** 2)
    assert.equal(constantIn('peer/control/client.ts', 'MAX_ANSWER_BYTES').value, 64 * 1024 ** 2)
  })

  for (const actor of [
    'stranger',
    'named peer',
    'operator of a relay',
    'hostile target',
    'local user',
    'network',
  ])
    it(`says what the ${actor} sees, can do, and cannot do`, () => {
      const chapter = text.split(/^### (?:An? |The )/m).find(it => it.startsWith(`${actor}\n`)) ?? ''
      for (const part of ['It sees', 'It can', 'It cannot']) assert.ok(chapter.includes(`\n- ${part}:`), part)
    })

  it('is linked from the README, from docs/README.md and from SECURITY.md', () => {
    for (const path of ['README.md', 'docs/README.md', 'SECURITY.md'])
      assert.match(read(path), /\]\((?:docs\/)?security-model\.md\)/, path)
  })
})

describe('SECURITY.md', () => {
  it('says how to report, and which versions get fixes', () => {
    assert.match(read('SECURITY.md'), /^## Report a vulnerability$/m)
    assert.match(read('SECURITY.md'), /^## Supported versions$/m)
  })
})

for (const document of ['docs/architecture.md', 'CONTRIBUTING.md'])
  it(`${document} names only files and folders that exist`, () => {
    const names = [...read(document).matchAll(/`((?:peer|relay|src|test|scripts|deploy)\/[\w./-]+)`/g)]
    const paths = names.map(([, path = '']) => path).filter(path => !path.includes('COMMAND'))
    assert.ok(paths.length > 10)
    assert.deepEqual(
      paths.filter(path => !existsSync(join(ROOT, path))),
      [],
    )
  })

it('docs/api.md is what `npm run docs` makes of the docstrings', () => {
  assert.ok(readFileSync(API_DOCUMENT, 'utf8') === apiDocument(), 'run `npm run docs`')
})

describe('manual pages', () => {
  for (const [path, page] of manPages) {
    it(`${basename(path)} is what \`npm run docs\` makes of the command tables`, () => {
      assert.ok(readFileSync(path, 'utf8') === page, 'run `npm run docs`')
    })

    it(`${basename(path)} names every option`, () => {
      const { commands } = basename(path).includes('relay') ? relayProgram : peerProgram
      for (const command of 'run' in commands ? [commands] : commands)
        for (const { name } of nameOptions(command.options))
          assert.ok(
            page.includes(`\\-\\-${name.replaceAll('-', '\\-')}`) || page.includes(`no\\-${name}`),
            name,
          )
    })
  }
})

describe('links', () => {
  const documents = globSync(['*.md', 'docs/*.md', 'examples/*.md', 'test/*/*.md', 'deploy/*.md'], {
    cwd: ROOT,
  })
  for (const path of documents)
    it(`in ${path} lead somewhere`, () => {
      // what is quoted as code is no link
      const text = read(path)
        .replaceAll(/^```[^]*?^```/gm, '')
        .replaceAll(/`[^`\n]*`/g, '')
      for (const [, link = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^[a-z]+:/.test(link)) continue
        const [file = '', anchor] = link.split('#')
        const target = file === '' ? path : join(dirname(path), file)
        assert.ok(existsSync(join(ROOT, target)), `${link} leads to a file`)
        if (anchor !== undefined) assert.ok(anchorsOf(target).includes(anchor), `${link} leads to a heading`)
      }
    })

  /** As GitHub makes them of headings. */
  function anchorsOf(path: string): string[] {
    return [...read(path).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(' ', '-'),
    )
  }
})
