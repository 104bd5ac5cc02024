/**
 * Admission by lists, tokens and a program of the operator's, in this order:
 *
 * 1. who is on the deny list is denied
 * 2. who is on the allow list, or has shown a token, is allowed
 * 3. else the program decides, if there is one
 * 4. else who should have been on the allow list, or have shown a token, is denied
 * 5. else everybody is allowed
 */

import { CallOut } from './call-out.ts'
import { findRule, printRule } from './rule.ts'
import { Tokens } from './tokens.ts'
import type { AbortOptions, PeerId } from '@libp2p/interface'
import type { Registrar } from '@libp2p/interface-internal'
import type { Admission, Verdict, Visitor } from './admission.ts'
import type { Rule } from './rule.ts'

/** The two lists of one question. */
export interface RuleLists {
  /** Only who is on it, where it is not empty. */
  readonly allow: readonly Rule[]
  /** Not who is on it. */
  readonly deny: readonly Rule[]
}

/** What the answers follow from. */
export interface AdmissionRules {
  /** Who may hold a reservation. */
  readonly reserve: RuleLists
  /** Who may ask for a circuit. */
  readonly connect: RuleLists
  /** To whom circuits may lead: peer ids. */
  readonly target: RuleLists
  /** Whoever shows one of them is allowed. */
  readonly tokens: readonly string[]
  /** For which questions a token is needed. */
  readonly tokenFor: 'reserve' | 'connect' | 'all'
  /** The URL of the program to ask. */
  readonly callOutUrl: string | undefined
}

/** Answers by rules that can be replaced while the relay runs; circuits that there are go on. */
export class ConfiguredAdmission implements Admission {
  readonly #tokens = new Tokens()
  #rules: AdmissionRules
  #callOut: CallOut | undefined

  constructor(rules: AdmissionRules) {
    this.#rules = rules
    this.replace(rules)
  }

  /** From now on these rules hold. */
  replace(rules: AdmissionRules): void {
    this.#rules = rules
    this.#tokens.replace(rules.tokens)
    if (this.#callOut?.url !== rules.callOutUrl) {
      this.#callOut = rules.callOutUrl === undefined ? undefined : new CallOut(rules.callOutUrl)
    }
  }

  async serve(registrar: Pick<Registrar, 'handle'>): Promise<void> {
    await this.#tokens.serve(registrar)
  }

  async mayReserve(visitor: Visitor, options: AbortOptions): Promise<Verdict> {
    return await this.#decide('reserve', visitor, undefined, options)
  }

  async mayConnect(visitor: Visitor, target: PeerId, options: AbortOptions): Promise<Verdict> {
    const { allow, deny } = this.#rules.target
    const denied = findRule(deny, { peerId: target })
    if (denied !== undefined) return { deniedBy: `deny-target ${printRule(denied)}` }
    if (allow.length > 0 && findRule(allow, { peerId: target }) === undefined) {
      return { deniedBy: 'allow-target does not have the target' }
    }
    return await this.#decide('connect', visitor, target, options)
  }

  async #decide(
    question: 'reserve' | 'connect',
    visitor: Visitor,
    target: PeerId | undefined,
    options: AbortOptions,
  ): Promise<Verdict> {
    const { allow, deny } = this.#rules[question]
    const denied = findRule(deny, visitor)
    if (denied !== undefined) return { deniedBy: `deny-${question} ${printRule(denied)}` }
    if (findRule(allow, visitor) !== undefined) return undefined
    const needsToken = this.#tokens.areNeeded && ['all', question].includes(this.#rules.tokenFor)
    if (needsToken && this.#tokens.wasShown(visitor.connection)) return undefined
    if (this.#callOut !== undefined) return await this.#callOut.ask(question, visitor, target, options)
    if (needsToken) return { deniedBy: 'no token was shown' }
    return allow.length > 0 ? { deniedBy: `allow-${question} does not have it` } : undefined
  }
}
