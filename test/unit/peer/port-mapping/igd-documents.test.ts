/** What is read from the documents of a gateway, and how long a hostile one can hold this up. */

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { leaf, readServices, writeAction } from '../../../../peer/port-mapping/igd-documents.ts'

const location = new URL('http://192.168.1.1:5000/rootDesc.xml')

const service = (type: string, control: string): string =>
  `<service><serviceType>urn:schemas-upnp-org:service:${type}</serviceType><controlURL>${control}</controlURL></service>`

const device = (...services: string[]): string =>
  `<?xml version="1.0"?><root><device><serviceList>${services.join('\n')}</serviceList></device></root>`

const controls = (xml: string): string[] => readServices(xml, location).map(it => it.control.href)

describe('a description', () => {
  test('names the services that map ports, the newest first', () => {
    const xml = device(
      service('Layer3Forwarding:1', '/forward'),
      service('WANPPPConnection:1', '/ppp'),
      service('WANIPConnection:1', '/one'),
      service('WANIPConnection:2', '/two'),
    )
    assert.deepEqual(controls(xml), [
      'http://192.168.1.1:5000/two',
      'http://192.168.1.1:5000/one',
      'http://192.168.1.1:5000/ppp',
    ])
  })

  test('may give a base, and whole URLs', () => {
    const base = '<URLBase>http://192.168.1.1:80/upnp/</URLBase>'
    assert.deepEqual(controls(base + device(service('WANIPConnection:1', 'control'))), [
      'http://192.168.1.1/upnp/control',
    ])
    const whole = device(service('WANIPConnection:1', 'http://192.168.1.1:49000/c?a=1&amp;b=2'))
    assert.deepEqual(controls(whole), ['http://192.168.1.1:49000/c?a=1&b=2'])
  })

  test('does not speak for another host', () => {
    assert.deepEqual(controls(device(service('WANIPConnection:1', 'http://192.168.1.9/'))), [])
    assert.deepEqual(controls(device(service('WANIPConnection:1', '//127.0.0.1/'))), [])
    assert.deepEqual(controls(device(service('WANIPConnection:1', 'file:///etc/passwd'))), [])
    const base = '<URLBase>http://127.0.0.1/</URLBase>'
    assert.deepEqual(controls(base + device(service('WANIPConnection:1', '/'))), [])
  })

  test('without a service that maps has none', () => {
    assert.deepEqual(controls(device(service('Layer3Forwarding:1', '/'))), [])
    assert.deepEqual(controls(''), [])
    assert.deepEqual(controls('<service><serviceType>'), [])
  })

  test('with a hundred services is read for sixty-four', () => {
    const many = Array.from({ length: 64 }, () => service('Other:1', '/'))
    assert.deepEqual(controls(device(...many, service('WANIPConnection:1', '/late'))), [])
  })

  // as many bytes as are ever read (bounded-http.ts)
  for (const part of [
    '<serviceType',
    '<serviceType ',
    '<a:',
    '<service>',
    '<URLBase>',
    '<URLBase ',
    'a',
    '<',
  ])
    test(`of nothing but "${part}" holds up nobody`, () => {
      const xml = part.repeat(131_072 / part.length)
      const startedAt = performance.now()
      readServices(xml, location)
      const elapsedMs = performance.now() - startedAt
      assert.ok(elapsedMs < 500, `${elapsedMs} ms`)
    })
})

describe('a leaf', () => {
  test('is found with a prefix and with attributes', () => {
    assert.equal(
      leaf('<u:NewExternalIPAddress a="b"> 203.0.113.7 </u:NewExternalIPAddress>', 'NewExternalIPAddress'),
      '203.0.113.7',
    )
  })

  test('is not one whose name only begins alike', () => {
    assert.equal(leaf('<errorCodes>1</errorCodes>', 'errorCode'), undefined)
  })

  test('is read once: what looks like an entity afterwards stays', () => {
    assert.equal(leaf('<a>&amp;lt;</a>', 'a'), '&lt;')
  })
})

test('an action names its service and holds its arguments in order', () => {
  const body = writeAction('urn:x', 'AddPortMapping', { NewRemoteHost: '', NewProtocol: 'TCP' })
  assert.match(
    body,
    /<u:AddPortMapping xmlns:u="urn:x"><NewRemoteHost><\/NewRemoteHost><NewProtocol>TCP<\/NewProtocol><\/u:AddPortMapping>/,
  )
})
