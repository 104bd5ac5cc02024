/**
 * Admission by lists, tokens and a program of the operator. The first step that applies decides:
 *
 * 1. A peer on the deny list is denied.
 * 2. A peer that is on the allow list, or has shown a token, is allowed.
 * 3. If there is a program, it decides.
 * 4. If there is an allow list, or tokens are required, the peer is denied.
 * 5. Every other peer is allowed.
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
  /** If this list is not empty, only these peers are allowed. */
  readonly allow: readonly Rule[]
  /** These peers are denied. */
  readonly deny: readonly Rule[]
}

/** The configuration that the answers are derived from. */
export interface AdmissionRules {
  /** Which peers may hold a reservation. */
  readonly reserve: RuleLists
  /** Which peers may ask for a circuit. */
  readonly connect: RuleLists
  /** Which peers circuits may lead to. These rules contain peer ids only. */
  readonly target: RuleLists
  /** A peer that shows one of these tokens is allowed. */
  readonly tokens: readonly string[]
  /** Which questions require a token. */
  readonly tokenFor: 'reserve' | 'connect' | 'all'
  /** The URL of the program that decides. */
  readonly callOutUrl: string | undefined
}

/** Admission by rules that can be replaced while the relay runs. Open circuits continue. */
export class ConfiguredAdmission implements Admission {
  readonly #tokens = new Tokens()
  #rules: AdmissionRules
  #callOut: CallOut | undefined

  constructor(rules: AdmissionRules) {
    this.#rules = rules
    this.replace(rules)
  }

  /** Replaces all rules. They apply from the next question on. */
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
      return { deniedBy: 'allow-target does not list the target' }
    }
    return await this.#decide('connect', visitor, target, options)
  }

  isNamed(visitor: Visitor): boolean {
    const { reserve, connect } = this.#rules
    if (this.#tokens.wasShown(visitor.connection)) return true
    return [reserve.allow, connect.allow].some(rules => findRule(rules, visitor) !== undefined)
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
    return allow.length > 0 ? { deniedBy: `allow-${question} does not list the peer` } : undefined
  }
}
