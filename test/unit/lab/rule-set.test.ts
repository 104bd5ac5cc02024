import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { natKinds } from '../../lab/net/nat-kind.ts'
import { lifetimeChange, memoryOf, ruleSet } from '../../lab/net/rule-set.ts'
import type { NatKind, NatKindName, Translation } from '../../lab/net/nat-kind.ts'

const externalAddress = '198.51.100.1'
const rules = (name: NatKindName) => ruleSet({ kind: natKinds[name], externalAddress })

const translating = Object.entries<NatKind>(natKinds).flatMap(([name, { ipv4 }]) =>
  typeof ipv4 === 'string' ? [] : [{ name: name as NatKindName, translation: ipv4 }],
)

describe("a NAT's rule set", () => {
  it('is named by its behaviour', () => {
    for (const { name, translation } of translating) {
      const { mapping, filtering, unsolicited } = translation
      assert.ok([`${mapping}-${filtering}`, `${mapping}-${filtering}-${unsolicited}`].includes(name), name)
    }
  })

  it('randomises ports exactly when mapping depends on the destination', () => {
    for (const { name, translation } of translating)
      assert.equal(rules(name).includes('fully-random'), translation.mapping === 'apdm', name)
  })

  it('lets in by external port alone, by source address and port, or not at all', () => {
    for (const { name, translation } of translating) {
      const { filtering } = translation
      assert.equal(rules(name).includes('"wan0" dnat ip to tcp dport map @owner'), filtering === 'eif', name)
      assert.equal(rules(name).includes('ip saddr . tcp dport map @contacted'), filtering === 'adf', name)
    }
  })

  it('declares every map and set that it uses, and no other', () => {
    for (const { name, translation } of translating) {
      for (const hairpinning of [false, true]) {
        const text = ruleSet({
          kind: { ipv4: { ...translation, hairpinning }, ipv6: 'absent' },
          externalAddress,
        })
        const used = new Set([...text.matchAll(/@(\w+)/g)].map(([, map]) => map))
        const declared = new Set([...text.matchAll(/(?:map|set) (\w+) \{/g)].map(([, map]) => map))
        assert.deepEqual(used, declared, name)
        assert.deepEqual(declared, new Set(memoryOf({ ...translation, hairpinning })), name)
      }
    }
  })

  it('answers the unsolicited as its kind says', () => {
    assert.match(rules('eim-apdf-drop'), /ipv4 counter drop/)
    assert.match(rules('eim-apdf-rst'), /tcp counter reject with tcp reset/)
    assert.match(rules('eim-apdf-icmp'), /ipv4 counter reject with icmp port-unreachable/)
    assert.doesNotMatch(rules('eim-apdf-stack'), /reject/)
    assert.match(rules('firewall6-icmp'), /ipv6 counter reject with icmpv6 admin-prohibited/)
  })

  it('has no translation where IPv4 is absent or public', () => {
    for (const name of ['none', 'firewall6'] as const)
      assert.doesNotMatch(ruleSet({ kind: natKinds[name] }), /table ip nat/)
  })

  it('needs to know its external address', () => {
    assert.throws(() => ruleSet({ kind: natKinds['eim-eif'] }), TypeError)
  })

  it('changes lifetimes without touching what the maps hold', () => {
    const change = lifetimeChange(natKinds['eim-eif'].ipv4 as Translation, 60)
    assert.match(change, /^flush chain ip nat remember\n/)
    assert.doesNotMatch(change, /flush (map|set|table)/)
    assert.match(change, /timeout 60s/)
  })
})
