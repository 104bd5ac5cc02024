/** The admission rules as options of the command line. SIGHUP reads them again. */

import { ruleKind } from './rule.ts'
import { weaknessOf } from './token-strength.ts'
import type { Kind } from '../../src/config/kinds/kind.ts'
import type { Resolved } from '../../src/config/options.ts'
import type { AdmissionRules } from './configured-admission.ts'

const urlKind: Kind<string> = {
  noun: 'an HTTP URL',
  placeholder: 'URL',
  example: 'http://127.0.0.1:8080/admission',
  parse(text) {
    if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
      throw new Error('expected http:// or https://')
    }
    return text
  },
}

const rules = { kind: ruleKind, many: true, optional: true } as const

/** The admission options, by question. */
export const admissionOptions = {
  allowReserve: { ...rules, doc: 'Allow only these peers to reserve, by peer id or range of IP addresses' },
  denyReserve: { ...rules, doc: 'Do not allow these peers to reserve' },
  allowConnect: { ...rules, doc: 'Allow only these peers to open circuits' },
  denyConnect: { ...rules, doc: 'Do not allow these peers to open circuits' },
  allowTarget: {
    kind: 'peer-id',
    many: true,
    optional: true,
    doc: 'Allow circuits to these peers only',
  },
  denyTarget: { kind: 'peer-id', many: true, optional: true, doc: 'Do not allow circuits to these peers' },
  tokenFile: {
    kind: 'path',
    optional: true,
    placeholder: 'FILE',
    example: './tokens',
    doc: 'A file of tokens, one per line. Only peers that show one of them (--relay-token-file) may use the relay',
  },
  tokenFor: {
    kind: 'choice',
    choices: ['all', 'reserve', 'connect'],
    default: 'all',
    doc: 'Which requests need a token',
  },
  admissionUrl: {
    kind: urlKind,
    optional: true,
    doc: 'The URL of a program that decides who may reserve and connect',
  },
} as const

/**
 * The rules that a configuration describes.
 *
 * @param warn - takes a warning of a file of tokens that other users can read
 * @throws {InvalidConfigError} if the file of tokens cannot be read, is malformed, or has a token that is easy to guess
 */
export async function admissionRulesOf(
  config: Resolved<typeof admissionOptions>,
  warn: (text: string) => void,
): Promise<AdmissionRules> {
  const tokensIn = async (path: string): Promise<string[]> =>
    (await import('../../src/protocols/relay-auth.ts')).readTokens(path, 'token-file', {
      faultOf: weaknessOf,
      warn,
    })
  const ofPeers = (peers: typeof config.allowTarget): AdmissionRules['target']['allow'] =>
    peers.map(peerId => ({ peerId }))
  return {
    reserve: { allow: config.allowReserve, deny: config.denyReserve },
    connect: { allow: config.allowConnect, deny: config.denyConnect },
    target: { allow: ofPeers(config.allowTarget), deny: ofPeers(config.denyTarget) },
    tokens: config.tokenFile === undefined ? [] : await tokensIn(config.tokenFile),
    tokenFor: config.tokenFor,
    callOutUrl: config.admissionUrl,
  }
}
