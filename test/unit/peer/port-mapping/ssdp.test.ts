/** Which answers to a search are followed. Anyone in the LAN can send one. */

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { readLocation } from '../../../../peer/port-mapping/ssdp.ts'

const SENDER = '192.168.1.1'

function answer(location: string, status = 'HTTP/1.1 200 OK'): Buffer {
  return Buffer.from(`${status}\r\nCACHE-CONTROL: max-age=120\r\n${location}\r\nEXT:\r\n\r\n`)
}

describe('an answer', () => {
  test('names the description', () => {
    const url = readLocation(answer('LOCATION: http://192.168.1.1:5000/rootDesc.xml'), SENDER)
    assert.equal(url?.href, 'http://192.168.1.1:5000/rootDesc.xml')
  })

  test('may write the header as it likes', () => {
    assert.ok(readLocation(answer('Location:http://192.168.1.1/d.xml'), SENDER))
  })

  const ignored: Record<string, Buffer> = {
    'points to another host': answer('LOCATION: http://192.168.1.2:5000/'),
    'points to this host': answer('LOCATION: http://127.0.0.1:5000/'),
    'points to a name': answer('LOCATION: http://localhost:5000/'),
    'points to IPv6': answer('LOCATION: http://[fe80::1]:5000/'),
    'is for another protocol': answer('LOCATION: file:///etc/passwd'),
    'wants TLS': answer('LOCATION: https://192.168.1.1/'),
    'has a user in it': answer('LOCATION: http://user@192.168.1.1/'),
    'has a password in it': answer('LOCATION: http://:secret@192.168.1.1/'),
    'has a location that is no URL': answer('LOCATION: 192.168.1.1'),
    'has no location': answer('SERVER: x'),
    'is a notification': answer('LOCATION: http://192.168.1.1/', 'NOTIFY * HTTP/1.1'),
    'is a refusal': answer('LOCATION: http://192.168.1.1/', 'HTTP/1.1 404 Not Found'),
    'has no status': answer('LOCATION: http://192.168.1.1/', 'HTTP/1.1 2000'),
    'is longer than a frame': Buffer.concat([
      answer('LOCATION: http://192.168.1.1/'),
      Buffer.alloc(1500, ' '),
    ]),
    'is empty': Buffer.alloc(0),
  }
  for (const [what, bytes] of Object.entries(ignored))
    test(`that ${what} is not followed`, () => assert.equal(readLocation(bytes, SENDER), undefined))
})
