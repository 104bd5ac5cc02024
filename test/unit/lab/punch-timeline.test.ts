/** The captures of docs/how-it-works.md: lines of tcpdump and conntrack become one timeline. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  entryLine,
  readEntry,
  readPacket,
  readTableChange,
  timeline,
} from '../../../scripts/how-it-works/timeline.ts'

const NAT = { name: 'nat', externalAddress: '11.0.2.1' }
const SYN_OUT =
  '1795451726.968676 IP 11.0.2.1.43145 > 11.0.3.1.43485: Flags [S], seq 3558429768, win 64240, options [mss 1460,sackOK,TS val 2042946855 ecr 0,nop,wscale 10], length 0'
const RST_IN =
  '1795451726.973903 IP 11.0.3.1.43485 > 11.0.2.1.43145: Flags [R.], seq 0, ack 3558429769, win 0, length 0'
const NEW =
  '[1795451726.970388]\t    [NEW] tcp      6 120 SYN_SENT src=192.168.2.2 dst=11.0.3.1 sport=43145 dport=43485 [UNREPLIED] src=11.0.3.1 dst=11.0.2.1 sport=43485 dport=43145'
const DESTROYED =
  '[1795451726.975135]\t[DESTROY] tcp      6 119 CLOSE src=192.168.2.2 dst=11.0.3.1 sport=43145 dport=43485 [UNREPLIED] src=11.0.3.1 dst=11.0.2.1 sport=43485 dport=43145'
const LISTED =
  'tcp      6 7439 ESTABLISHED src=192.168.2.2 dst=11.0.1.1 sport=37231 dport=4001 src=11.0.1.1 dst=11.0.2.1 sport=4001 dport=37231 [ASSURED] mark=0 use=1'

describe('the timeline of a punch', () => {
  it('reads a packet as tcpdump tells it', () => {
    assert.deepEqual(readPacket(NAT, SYN_OUT), {
      nat: 'nat',
      at: 1795451726.968676,
      direction: 'out',
      from: '11.0.2.1:43145',
      to: '11.0.3.1:43485',
      flags: 'S',
      bytes: 0,
    })
    assert.equal(readPacket(NAT, RST_IN)?.direction, 'in')
  })

  it('passes over lines that tell no packet and no entry', () => {
    assert.equal(readPacket(NAT, 'listening on wan0'), undefined)
    assert.equal(readTableChange('nat', '[1795451726.9]\t[NEW] udp 17 30 src=1.2.3.4'), undefined)
    assert.equal(readEntry(''), undefined)
  })

  it('reads both directions of an entry', () => {
    const entry = readEntry(LISTED)
    assert.ok(entry !== undefined)
    assert.equal(
      entryLine(entry),
      'ESTABLISHED 7439 s,  192.168.2.2:37231 > 11.0.1.1:4001 | 11.0.1.1:4001 > 11.0.2.1:37231',
    )
  })

  it('shows each change under the packet that caused it, however late it was told', () => {
    const packets = [RST_IN, SYN_OUT].map(line => readPacket(NAT, line)).filter(it => it !== undefined)
    const changes = [NEW, DESTROYED].map(line => readTableChange('nat', line)).filter(it => it !== undefined)
    const rows = timeline(packets, changes)
    assert.deepEqual(
      rows.map(row => row.map(line => line.trim().replaceAll(/ +/g, ' '))),
      [
        [
          '0.0 nat out SYN 11.0.2.1:43145 > 11.0.3.1:43485',
          '-> new entry SYN_SENT [UNREPLIED] 120 s, 192.168.2.2:43145 > 11.0.3.1:43485 | 11.0.3.1:43485 > 11.0.2.1:43145',
        ],
        ['5.2 nat in RST, ACK 11.0.3.1:43485 > 11.0.2.1:43145', '-> entry removed'],
      ],
    )
  })
})
