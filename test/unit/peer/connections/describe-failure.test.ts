/** Failures in words. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UnsupportedProtocolError } from '@libp2p/interface'
import { describeFailure } from '../../../../peer/connections/describe-failure.ts'

const coded = (code: string): Error => Object.assign(new Error(`connect ${code} 192.0.2.1:1`), { code })
const named = (name: string, message = 'x'): Error => Object.assign(new Error(message), { name })

const cases: ReadonlyArray<[string, unknown, string]> = [
  ['ECONNREFUSED', coded('ECONNREFUSED'), 'nothing listens there (ECONNREFUSED)'],
  [
    'ECONNRESET',
    coded('ECONNRESET'),
    'the connection was reset: the other side may have as many connections as it may, or a firewall cuts it (ECONNRESET)',
  ],
  ['EHOSTUNREACH', coded('EHOSTUNREACH'), 'no route leads there (EHOSTUNREACH)'],
  ['ENOTFOUND', coded('ENOTFOUND'), 'the name does not exist (ENOTFOUND)'],
  ['a time-out', named('TimeoutError'), 'no answer in time'],
  ['an abort', named('AbortError'), 'no answer in time'],
  [
    'a peer that is full',
    named('EncryptionFailedError', 'The stream has been reset'),
    'it ended the connection during the handshake: it probably has as many connections as it may; try again',
  ],
  ['no libp2p', named('EncryptionFailedError'), 'what answers there does not speak libp2p'],
  ['no relay', new UnsupportedProtocolError('x'), 'it does not speak the protocol, so it is no relay'],
  ...['Unexpected EOF - stream closed while reading 0/1 bytes', 'read ECONNRESET'].map(
    (message): [string, unknown, string] => [
      `a full peer (${message})`,
      named('EncryptionFailedError', message),
      'it closes the connection before a word: it may have as many connections as it may, or does not speak libp2p',
    ],
  ),
  [
    'an answer of another protocol',
    named('EncryptionFailedError', 'Unexpected EOF - stream closed while reading 20/83 bytes'),
    'what answers there does not speak libp2p',
  ],
  [
    'another encryption',
    named('EncryptionFailedError', 'Protocol selection failed - could not negotiate /noise'),
    'it speaks libp2p, but no encryption that this version knows',
  ],
  [
    'a handshake without an answer',
    named('EncryptionFailedError', 'The operation was aborted due to timeout'),
    'no answer in time',
  ],
  [
    'another peer',
    named('EncryptionFailedError', 'Payload identity key A does not match expected remote identity key B'),
    'another peer answers there; check the peer id in the address',
  ],
  [
    'a full relay',
    new Error('reservation failed with status RESERVATION_REFUSED'),
    'the relay has no room for another reservation (RESERVATION_REFUSED)',
  ],
  [
    'a relay that asks for a token',
    new Error('reservation failed with status PERMISSION_DENIED'),
    'the relay does not admit this peer (PERMISSION_DENIED): it may require a token, or allow only certain peers',
  ],
  [
    'a peer without a reservation',
    new Error('failed to connect via relay with status NO_RESERVATION'),
    'the peer holds no reservation at the relay: it is not running, or uses another relay (NO_RESERVATION)',
  ],
  [
    'a relay that cannot reach the peer',
    new Error('status CONNECTION_FAILED'),
    'the relay could not reach the peer (CONNECTION_FAILED)',
  ],
  ['an unknown error', new Error('the moon is full'), 'the moon is full'],
  ['an unknown code', coded('EMOON'), 'connect EMOON 192.0.2.1:1'],
  ['something that is no error', 'text', 'text'],
  [
    'no descriptors left',
    coded('EMFILE'),
    'this process has as many open files and sockets as it may have (EMFILE)',
  ],
  [
    'a library error with a cause',
    Object.assign(named('ConnectionFailedError'), { cause: coded('ENETUNREACH') }),
    'no route leads there (ENETUNREACH)',
  ],
  ['an event', { type: 'error' }, 'it failed with the event "error"'],
  [
    'an event with an error in it',
    { type: 'error', error: coded('CERT_HAS_EXPIRED') },
    'its certificate has expired (CERT_HAS_EXPIRED)',
  ],
  ['nothing', undefined, 'undefined'],
  ['an error without a message', named('DialError', ''), 'DialError'],
  [
    'several failures, each once',
    new AggregateError([coded('ECONNREFUSED'), coded('ECONNREFUSED'), named('TimeoutError')]),
    'nothing listens there (ECONNREFUSED); no answer in time',
  ],
]

for (const [what, error, text] of cases)
  test(`${what}: ${text}`, () => assert.equal(describeFailure(error), text))

for (const status of [
  'RESERVATION_REFUSED',
  'RESOURCE_LIMIT_EXCEEDED',
  'PERMISSION_DENIED',
  'CONNECTION_FAILED',
  'NO_RESERVATION',
  'MALFORMED_MESSAGE',
  'UNEXPECTED_MESSAGE',
]) {
  test(`the status ${status} is explained and named`, () => {
    assert.match(
      describeFailure(new Error(`status ${status}`)),
      new RegExp(`^the .+ \\(${status}\\)(: .+)?$`),
    )
  })
}
