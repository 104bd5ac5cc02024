/** How gateways are asked over UDP and HTTP, with servers on loopback that answer late, wrongly, endlessly or not at all. */

import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { createServer } from 'node:http'
import { describe, test } from 'node:test'
import { fetchBounded } from '../../peer/port-mapping/bounded-http.ts'
import { ask } from '../../peer/port-mapping/datagrams.ts'
import { openGateway } from '../../peer/port-mapping/upnp.ts'
import { once } from '../waits.ts'
import type { Socket } from 'node:dgram'
import type { RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'

const LOOPBACK = '127.0.0.1'
const never = new AbortController().signal

async function bind(t: TestContext): Promise<Socket> {
  const socket = createSocket('udp4').bind(0, LOOPBACK)
  await once(socket, 'listening')
  t.after(() => socket.close())
  return socket
}

function question(port: number): Parameters<typeof ask<string>>[0] {
  return {
    gateway: LOOPBACK,
    port,
    write: () => Buffer.from('question'),
    read: datagram => {
      const text = Buffer.from(datagram).toString()
      if (text === 'refused') throw new Error('refused')
      return text === 'answer' ? text : undefined
    },
  }
}

describe('a question by datagram', () => {
  test('is sent again when the answer, or it itself, was lost', async t => {
    const gateway = await bind(t)
    let questions = 0
    gateway.on('message', (_text, { port, address }) => {
      if (++questions === 3) gateway.send('answer', port, address)
    })
    assert.equal(await ask(question(gateway.address().port), never), 'answer')
    assert.equal(questions, 3)
  })

  test('takes no answer from anyone but the gateway, and none that is not to it', async t => {
    const [gateway, other] = [await bind(t), await bind(t)]
    gateway.on('message', (_text, { port, address }) => {
      other.send('refused', port, address, () => {
        for (const noise of ['', 'x', 'x'.repeat(60_000), 'answer']) gateway.send(noise, port, address)
      })
    })
    assert.equal(await ask(question(gateway.address().port), never), 'answer')
  })

  test('ends with the answer no', async t => {
    const gateway = await bind(t)
    gateway.on('message', (_text, { port, address }) => gateway.send('refused', port, address))
    await assert.rejects(ask(question(gateway.address().port), never), /refused/)
  })

  test('ends at once where the port is closed', async () => {
    const socket = createSocket('udp4').bind(0, LOOPBACK)
    await once(socket, 'listening')
    const { port } = socket.address()
    socket.close()
    await assert.rejects(ask(question(port), never), { code: 'ECONNREFUSED' })
  })

  test('ends when it is aborted', async t => {
    const gateway = await bind(t)
    const controller = new AbortController()
    gateway.once('message', () => controller.abort(new Error('enough')))
    await assert.rejects(ask(question(gateway.address().port), controller.signal), /enough/)
    await assert.rejects(ask(question(gateway.address().port), controller.signal), /enough/)
  })
})

async function serve(t: TestContext, listener: RequestListener): Promise<URL> {
  const server = createServer(listener).listen(0, LOOPBACK)
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return new URL(`http://${LOOPBACK}:${(server.address() as AddressInfo).port}/rootDesc.xml`)
}

const get = { method: 'GET', localAddress: LOOPBACK } as const

describe('a request by HTTP', () => {
  test('follows no redirect', async t => {
    const paths: string[] = []
    const url = await serve(t, (request, response) => {
      paths.push(request.url ?? '')
      response.writeHead(302, { Location: '/elsewhere' }).end()
    })
    assert.equal((await fetchBounded(url, get, never)).status, 302)
    assert.deepEqual(paths, ['/rootDesc.xml'])
  })

  test('reads no endless answer', async t => {
    let sent = 0
    const url = await serve(t, (_request, response) => {
      const part = Buffer.alloc(65_536)
      const more = (): void => {
        while (!response.destroyed && response.write(part)) sent += part.length
      }
      response.on('drain', more)
      more()
    })
    await assert.rejects(fetchBounded(url, get, never), /longer than 131072 bytes/)
  })

  test('reads no endless head', async t => {
    const url = await serve(t, (_request, response) => {
      response.writeHead(200, { 'X-Long': 'x'.repeat(10_000) }).end()
    })
    await assert.rejects(fetchBounded(url, get, never), { code: 'HPE_HEADER_OVERFLOW' })
  })

  test('ends when it is aborted in the middle of an answer', async t => {
    const controller = new AbortController()
    const url = await serve(t, (_request, response) => {
      response.write('<root>', () => controller.abort(new Error('enough')))
    })
    await assert.rejects(fetchBounded(url, get, controller.signal))
  })
})

const HOME = { gateway: LOOPBACK, ownAddress: LOOPBACK }
const SERVICE = 'urn:schemas-upnp-org:service:WANIPConnection:1'
const DESCRIPTION = `<root><device><serviceList><service><serviceType>${SERVICE}</serviceType><controlURL>/control</controlURL></service></serviceList></device></root>`

interface Device {
  url: URL
  actions: Array<{ action: string; body: string }>
}

/** A device of version 1 whose AddPortMapping answers with these error codes, one after the other, and then yes. */
async function device(t: TestContext, codes: number[] = [], externalAddress = '11.0.1.1'): Promise<Device> {
  const actions: Device['actions'] = []
  const url = await serve(t, (request, response) => {
    let body = ''
    request.on('data', part => (body += part))
    request.on('end', () => {
      const action = String(request.headers['soapaction'] ?? '').replaceAll('"', '')
      if (action === '') return response.end(DESCRIPTION)
      actions.push({ action: action.slice(action.indexOf('#') + 1), body })
      const code = action.endsWith('#AddPortMapping') ? codes.shift() : undefined
      if (code !== undefined)
        return response.writeHead(500).end(`<s:Fault><errorCode>${code}</errorCode></s:Fault>`)
      return response.end(`<NewExternalIPAddress>${externalAddress}</NewExternalIPAddress>`)
    })
  })
  return { url, actions }
}

const value = (body: string, name: string): string | undefined =>
  new RegExp(`<${name}>(.*?)</${name}>`).exec(body)?.[1]

describe('a UPnP gateway of version 1', () => {
  test('maps a port, and removes that one', async t => {
    const { url, actions } = await device(t)
    const mapper = await openGateway(url, HOME, never)
    const lease = await mapper.map(4001, undefined, never)
    assert.deepEqual(lease, { externalAddress: '11.0.1.1', externalPort: 4001, lifetimeMs: 7_200_000 })
    const add = actions.find(it => it.action === 'AddPortMapping')?.body ?? ''
    assert.equal(value(add, 'NewInternalClient'), LOOPBACK)
    assert.equal(value(add, 'NewLeaseDuration'), '7200')
    await mapper.unmap(4001, never)
    const { action, body } = actions.at(-1) ?? { action: '', body: '' }
    assert.deepEqual([action, value(body, 'NewExternalPort')], ['DeletePortMapping', '4001'])
  })

  test('whose port is taken is asked for another, which is the one removed', async t => {
    const { url, actions } = await device(t, [718, 718])
    const mapper = await openGateway(url, HOME, never)
    const { externalPort } = await mapper.map(4001, undefined, never)
    assert.ok(externalPort >= 49_152)
    await mapper.unmap(4001, never)
    assert.equal(value(actions.at(-1)?.body ?? '', 'NewExternalPort'), String(externalPort))
  })

  test('that knows permanent leases only is asked for one', async t => {
    const { url, actions } = await device(t, [725])
    const mapper = await openGateway(url, HOME, never)
    await mapper.map(4001, undefined, never)
    const durations = actions
      .filter(it => it.action === 'AddPortMapping')
      .map(it => value(it.body, 'NewLeaseDuration'))
    assert.deepEqual(durations, ['7200', '0'])
  })

  test('that refuses is asked four times at the most, and nothing is removed', async t => {
    const { url, actions } = await device(
      t,
      Array.from({ length: 20 }, () => 718),
    )
    const mapper = await openGateway(url, HOME, never)
    await assert.rejects(mapper.map(4001, undefined, never), { name: 'MappingRefusedError', code: 718 })
    await mapper.unmap(4001, never)
    assert.equal(actions.filter(it => it.action === 'AddPortMapping').length, 4)
    assert.ok(!actions.some(it => it.action === 'DeletePortMapping'))
  })

  test('that does not allow it is asked once', async t => {
    const { url, actions } = await device(t, [606])
    const mapper = await openGateway(url, HOME, never)
    await assert.rejects(mapper.map(4001, undefined, never), { name: 'MappingRefusedError', code: 606 })
    assert.equal(actions.filter(it => it.action === 'AddPortMapping').length, 1)
  })

  test('without an address is none', async t => {
    const { url } = await device(t, [], '')
    await assert.rejects(openGateway(url, HOME, never), /does not describe a gateway/)
  })
})
