/** A forward in one text. */
import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import { forwardRuleKind } from '../../../../../peer/commands/options/forward-rule.ts'

const place = { directory: '/etc/throughnat', home: '/root' }
const local = { host: '127.0.0.1', port: 2222 }

test('a forward leads to a service of a peer', () => {
  const circuit = '/ip4/192.0.2.1/tcp/4001/p2p/12D3KooWRelay/p2p-circuit/p2p/12D3KooWPeer'
  for (const target of ['home', '12D3KooWPeer', circuit]) {
    const text = `127.0.0.1:2222=${target}/ssh`
    const rule = forwardRuleKind.parse(text, place)
    assert.deepEqual(rule, { local, target, service: 'ssh' })
    assert.equal(forwardRuleKind.print?.(rule), text)
  }
})

test('a forward leads where the ticket in a file says, whose path starts where other paths do', () => {
  const rule = forwardRuleKind.parse('127.0.0.1:2222=@home.ticket', place)
  assert.deepEqual(rule, { local, target: '@/etc/throughnat/home.ticket', service: undefined })
})

test('a ticket in a forward is hidden where it is shown', () => {
  const rule = forwardRuleKind.parse(`127.0.0.1:2222=tnat1${'x'.repeat(100)}`, place)
  assert.equal(forwardRuleKind.print?.(rule), '127.0.0.1:2222=tnat1(hidden)')
})

test('what is missing is told', () => {
  for (const [text, what] of [
    ['127.0.0.1:2222', /expected HOST:PORT=/],
    ['127.0.0.1:2222=', /the target is missing/],
    ['127.0.0.1:2222=-', /the target is missing/],
    [':2222=home/ssh', /the host is missing/],
    ['127.0.0.1:2222=home/', /a name has/],
  ] as const)
    assert.throws(() => forwardRuleKind.parse(text, place), what)
})
