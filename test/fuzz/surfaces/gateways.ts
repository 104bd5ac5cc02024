/** What gateways and hosts of the LAN answer, and what the kernel lists as routes. */

import fc from 'fast-check'
import { multiaddr } from '@multiformats/multiaddr'
import { readLocation } from '../../../peer/port-mapping/ssdp.ts'
import { leaf, readServices } from '../../../peer/port-mapping/igd-documents.ts'
import { readMap, writeMap } from '../../../peer/port-mapping/pcp.ts'
import { readExternalAddress, readMapping } from '../../../peer/port-mapping/nat-pmp.ts'
import {
  defaultGateway,
  parseDefaultRoutes,
  parseDefaultRoutesIPv6,
} from '../../../src/addresses/default-routes.ts'
import { garbage, mutated, single } from '../frames.ts'
import { allow, joined, textInput } from '../surface.ts'
import { mutatedText, textInputs } from '../texts.ts'
import type { Entry, Surface } from '../surface.ts'

const SENDER = '192.168.1.1'
const PORT = 4001
const NONCE = Buffer.alloc(12, 9)
const LOCATION = new URL(`http://${SENDER}:5000/rootDesc.xml`)

const ANSWERS = [
  `HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\nLOCATION: ${LOCATION.href}\r\n\r\n`,
]

const DESCRIPTION = `<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0"><URLBase>http://${SENDER}:5000</URLBase><device><serviceList><service><serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType><controlURL>/ctl/IPConn</controlURL></service><s:service><s:serviceType a="b">urn:schemas-upnp-org:service:WANPPPConnection:1</s:serviceType><s:controlURL>&amp;x</s:controlURL></s:service></serviceList></device></root>`
const WORDS = [
  '<service>',
  '</',
  '<',
  '<a:',
  '&amp;',
  '&lt;',
  '<controlURL',
  ' a="',
  'http://evil/',
  '//evil/',
  `http://${SENDER}@evil/`,
  '<![CDATA[',
  'LOCATION:',
  'location: http://127.0.0.1/',
  '\r\n',
]

const ssdp: Entry = {
  name: 'ssdp',
  inputs: textInputs(mutatedText(ANSWERS, WORDS)),
  valid: ANSWERS.map(textInput),
  start: () => input => {
    const location = readLocation(joined(input), SENDER)
    if (location !== undefined && location.hostname !== SENDER)
      throw new Error(`The location leads to ${location.hostname}`)
  },
}

const igd: Entry = {
  name: 'igd',
  inputs: textInputs(mutatedText([DESCRIPTION, DESCRIPTION.repeat(20)], WORDS)),
  valid: [textInput(DESCRIPTION), textInput(DESCRIPTION.repeat(20))],
  start: () => input => {
    const text = joined(input).toString('latin1')
    for (const { control } of readServices(text, LOCATION))
      if (control.hostname !== SENDER || control.protocol !== 'http:')
        throw new Error(`The control URL leads to ${control.href}`)
    leaf(text, 'NewExternalIPAddress')
    leaf(text, 'errorCode')
  },
}

const request = { address: '192.168.1.2', port: PORT, nonce: NONCE, seconds: 3600 }
const pcpAnswer = Buffer.from(writeMap(request))
pcpAnswer[1] = 0x81
const pcpRefusal = Buffer.from(pcpAnswer)
pcpRefusal[3] = 8

const pcp: Entry = {
  name: 'pcp',
  inputs: single(fc.oneof(mutated([pcpAnswer, pcpRefusal, Buffer.of(0, 129, 0, 1, 0, 0, 0, 0)]), garbage)),
  valid: [[pcpAnswer], [pcpRefusal]],
  start: () => input =>
    allow(['MappingRefusedError'], () => {
      assertAddress(readMap(joined(input), { port: PORT, nonce: NONCE })?.address)
    }),
}

const mapping = Buffer.from('00820000000000050fa10fa100000e10', 'hex')
const address = Buffer.from('008000000000000506010203', 'hex')

const natPmp: Entry = {
  name: 'nat-pmp',
  inputs: single(fc.oneof(mutated([mapping, address]), garbage)),
  valid: [[mapping], [address]],
  start: () => input => {
    allow(['MappingRefusedError'], () => readMapping(joined(input), PORT))
    allow(['MappingRefusedError'], () => assertAddress(readExternalAddress(joined(input))))
  },
}

/** An address that is read goes into a multiaddr, whose constructor throws at any other text. */
function assertAddress(address: string | undefined): void {
  if (address !== undefined) multiaddr(`/ip${address.includes(':') ? 6 : 4}/${address}`)
}

const IPV4 =
  'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\neth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\neth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n'
const IPV6 = `${'0'.repeat(32)} 00 ${'0'.repeat(32)} 00 fe800000000000000000000000000001 00000400 00000001 00000000 00450003 eth0\n${'0'.repeat(32)} 00 ${'0'.repeat(32)} 00 ${'0'.repeat(32)} ffffffff 00000001 00000000 00200200 lo\n`

const routes: Entry = {
  name: 'routes',
  inputs: textInputs(mutatedText([IPV4, IPV6], ['\t', '\n', '00000000', 'FFFFFFFF', 'zz'])),
  valid: [textInput(IPV4), textInput(IPV6)],
  start: () => input => {
    const text = joined(input).toString()
    const gateway = defaultGateway(parseDefaultRoutes(text))
    if (gateway !== undefined && !/^\d+\.\d+\.\d+\.\d+$/.test(gateway))
      throw new Error(`${gateway} is no gateway`)
    parseDefaultRoutesIPv6(text)
  },
}

export const gateways: Surface = { name: 'gateways', entries: [ssdp, igd, pcp, natPmp, routes] }
