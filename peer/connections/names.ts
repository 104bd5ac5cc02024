/** What this user calls peers: a file with a name and a target a line, as /etc/hosts has names and addresses. */

import { nearestHint } from '../../src/config/nearest.ts'
import { expandPath, NoHomeError, placeAt } from '../../src/config/paths.ts'
import { isPeerName } from '../tunnel/listener/service-kinds.ts'
import { DEFAULT_NAMES } from './default-names.ts'
import { parseTarget } from './target.ts'
import { InvalidConfigError } from '../../src/errors.ts'
import { readLineFile } from '../../src/files/line-file.ts'
import { privacyWarning } from '../../src/files/private-file.ts'
import { looksLikeTicket } from '../tickets/prefix.ts'

const MISSING: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR', 'EACCES'])

/** Names and what they stand for: a peer id, an address or a ticket. */
export interface PeerNames {
  /** Finds what a name stands for; a text that is none comes back as it is. @throws {InvalidConfigError} for a name that stands for nothing */
  resolve(text: string, where: string): string
  /** What a peer is called, by its id; undefined if it has no name. */
  nameOf(peerId: string): string | undefined
}

/**
 * Reads the names.
 *
 * @param path - undefined for the usual place, where there need not be a file
 * @param warn - takes a warning of a file with tickets that other users can read
 * @throws {InvalidConfigError} with all that is wrong with the file, or if other users can change it
 */
export async function readNames(
  path: string | undefined,
  warn: (text: string) => void = () => {},
): Promise<PeerNames> {
  const file = path ?? defaultFile()
  if (file === undefined) return new NamesFile(DEFAULT_NAMES, new Map())
  const targets = await read(file, path === undefined)
  const warning = [...targets.values()].some(looksLikeTicket) ? await privacyWarning(file) : undefined
  if (warning !== undefined) warn(warning)
  return new NamesFile(path ?? DEFAULT_NAMES, targets)
}

/** Undefined for a user without a home directory. */
function defaultFile(): string | undefined {
  try {
    return expandPath(DEFAULT_NAMES, placeAt('/'))
  } catch (error) {
    if (error instanceof NoHomeError) return undefined
    throw error
  }
}

class NamesFile implements PeerNames {
  readonly #path: string
  readonly #targets: ReadonlyMap<string, string>

  constructor(path: string, targets: ReadonlyMap<string, string>) {
    this.#path = path
    this.#targets = targets
  }

  resolve(text: string, where: string): string {
    if (!isPeerName(text)) return text
    const target = this.#targets.get(text)
    if (target !== undefined) return target
    const hint = nearestHint(text, [...this.#targets.keys()])
    const what = `no peer is called ${JSON.stringify(text)} in ${this.#path}${hint}`
    throw new InvalidConfigError([{ where, what }])
  }

  nameOf(peerId: string): string | undefined {
    for (const [name, target] of this.#targets) if (peerIdIn(target) === peerId) return name
    return undefined
  }
}

/** The id of the peer that a target leads to, in base58; undefined if it is no target. */
function peerIdIn(target: string): string | undefined {
  try {
    return parseTarget(target).peerId.toString()
  } catch {
    return undefined
  }
}

async function read(path: string, mayBeMissing: boolean): Promise<ReadonlyMap<string, string>> {
  const targets = new Map<string, string>()
  try {
    await readLineFile(path, '--names', line => {
      const [name, target] = parse(line)
      if (targets.has(name)) throw new Error(`${name} stands in an earlier line, too`)
      targets.set(name, target)
    })
  } catch (error) {
    const { code = '' } = ((error as Error).cause ?? {}) as NodeJS.ErrnoException
    // a home that is another user's, or hidden from a service, has no names for this one either
    if (!mayBeMissing || !MISSING.has(code)) throw error
  }
  return targets
}

function parse(line: string): [name: string, target: string] {
  const [name = '', target, ...rest] = line.split(/\s+/)
  if (target === undefined || rest.length > 0)
    throw new Error('a line is a name and a target: a peer id, an address or a ticket')
  if (!isPeerName(name) || name === 'anyone') {
    throw new Error(
      'a name takes 1 to 32 lower-case letters, digits, dots and hyphens, and starts with a letter; "anyone" is none',
    )
  }
  return [name, target]
}
