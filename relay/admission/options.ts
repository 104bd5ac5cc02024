/** Admission as options of the command line, which are read again on SIGHUP. */

import { readTokens } from '../../src/protocols/relay-auth.ts'
import { ruleKind } from './rule.ts'
import type { Kind } from '../../src/config/kind.ts'
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

/** The options, by question. */
export const admissionOptions = {
  allowReserve: { ...rules, doc: 'Who may reserve: only these, by peer id or range of IP addresses' },
  denyReserve: { ...rules, doc: 'Who may not reserve' },
  allowConnect: { ...rules, doc: 'Who may ask for circuits: only these' },
  denyConnect: { ...rules, doc: 'Who may not ask for circuits' },
  allowTarget: {
    kind: 'peer-id',
    many: true,
    optional: true,
    doc: 'To whom circuits may lead: only to these peers',
  },
  denyTarget: { kind: 'peer-id', many: true, optional: true, doc: 'To whom circuits may not lead' },
  tokenFile: {
    kind: 'path',
    optional: true,
    placeholder: 'FILE',
    example: './tokens',
    doc: 'A file of tokens, one a line. Only peers that show one of them (--relay-token-file) are admitted',
  },
  tokenFor: {
    kind: 'choice',
    choices: ['all', 'reserve', 'connect'],
    default: 'all',
    doc: 'What a token is needed for',
  },
  admissionUrl: {
    kind: urlKind,
    optional: true,
    doc: 'The URL of a program that decides who may reserve and connect',
  },
} as const

/**
 * The rules that a configuration asks for.
 *
 * @throws {InvalidConfigError} if the file of tokens cannot be used
 */
export async function admissionRulesOf(config: Resolved<typeof admissionOptions>): Promise<AdmissionRules> {
  const ofPeers = (peers: typeof config.allowTarget): AdmissionRules['target']['allow'] =>
    peers.map(peerId => ({ peerId }))
  return {
    reserve: { allow: config.allowReserve, deny: config.denyReserve },
    connect: { allow: config.allowConnect, deny: config.denyConnect },
    target: { allow: ofPeers(config.allowTarget), deny: ofPeers(config.denyTarget) },
    tokens: config.tokenFile === undefined ? [] : await readTokens(config.tokenFile, 'token-file'),
    tokenFor: config.tokenFor,
    callOutUrl: config.admissionUrl,
  }
}
