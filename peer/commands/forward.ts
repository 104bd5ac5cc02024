/** `throughnat forward`: carry local TCP connections, or standard input and output, to what a remote peer exposes. */

import { once } from 'node:events'
import { defineCommand } from '../../src/cli/command.ts'
import { UsageError } from '../../src/errors.ts'
import { createPeer } from '../create-peer.ts'
import { forwardLocal } from '../tunnel/forward.ts'
import { forwardStdio } from '../tunnel/forward-stdio.ts'
import { withDataDir, withRelayFile, withRelayToken, withTimeout } from './dial.ts'
import { dialerDataDir, relayFile, relays, relayTokenFile, target } from './options.ts'
import { reportPeer } from './report.ts'
import type { Command } from '../../src/cli/command.ts'
import type { Output } from '../../src/cli/output.ts'
import type { PeerConnection } from '../connection.ts'
import type { PathDetail } from '../events.ts'
import type { Peer } from '../peer.ts'
import type { LocalForward } from '../tunnel/forward.ts'
import type { OpenStream } from '../tunnel/open-service.ts'

export const forward: Command = defineCommand({
  name: 'forward',
  summary: 'Carry TCP connections to a service that a remote peer exposes',
  arguments: {
    target,
    service: { kind: 'string', placeholder: 'NAME', doc: 'The name of the service', example: 'web' },
  },
  options: {
    relays,
    relayFile,
    relayTokenFile,
    dataDir: dialerDataDir,
    local: {
      kind: 'host-port',
      optional: true,
      example: '127.0.0.1:9090',
      doc: 'Listen here and carry each connection',
    },
    stdio: { kind: 'boolean', doc: "Carry standard input and output, once, as ssh's ProxyCommand wants it" },
    timeoutMs: { kind: 'duration', default: '30s', min: '100ms', doc: 'Time to reach the peer' },
  },
  examples: [
    'throughnat forward /ip4/192.0.2.1/tcp/4001/p2p/12D3KooWRelay.../p2p-circuit/p2p/12D3KooWPeer... web --local 127.0.0.1:9090',
    "ssh -o ProxyCommand='throughnat forward 12D3KooWPeer... ssh --relay /ip4/192.0.2.1/tcp/4001/p2p/12D3KooWRelay... --stdio' user@home",
  ],
  run: async ({ relays, relayFile, relayTokenFile, dataDir, local, stdio, timeoutMs }, context) => {
    const { target, service } = context.arguments
    const { output, signal } = context
    if ((local === undefined) === !stdio)
      throw new UsageError('Say where the connections come from: either --local HOST:PORT or --stdio.')
    const token = await withRelayToken(relayTokenFile)
    await using peer = await createPeer(
      { relays, ...withRelayFile(relayFile), reserve: false, ...withDataDir(dataDir), ...token },
      { signal },
    )
    const stdout = stdio ? output.claimStdout() : undefined
    reportPeer(peer, output)
    const connection = await withTimeout(timeoutMs, signal, target, options => peer.connect(target, options))
    const openStream: OpenStream = (protocols, options) => connection.newStream(protocols, options)
    const onPath = (listener: () => void): (() => void) => watchPath(peer, connection, listener)
    if (stdout !== undefined)
      await forwardStdio({ stdin: context.stdin, stdout, openStream, onPath, service, signal })
    else if (local !== undefined)
      await forwardUntilStopped(
        await forwardLocal({ ...local, openStream, onPath, service, signal }),
        service,
        output,
        signal,
      )
  },
})

/** Calls `listener` when the path to the remote peer becomes direct, or relayed again, until what it returns is called. */
function watchPath(peer: Peer, { remotePeer }: PeerConnection, listener: () => void): () => void {
  const onChange = ({ detail }: CustomEvent<PathDetail>): void => {
    if (detail.peerId.equals(remotePeer)) listener()
  }
  peer.addEventListener('path:changed', onChange)
  return () => peer.removeEventListener('path:changed', onChange)
}

async function forwardUntilStopped(
  forward: LocalForward,
  service: string,
  output: Output,
  signal: AbortSignal,
): Promise<void> {
  await using running = forward
  const { host, port } = running.address
  output.event('forward:listening', { service, host, port }, `Listening on ${host}:${port}, for ${service}`)
  running.addEventListener('forward:opened', ({ detail }) => output.event('forward:opened', { ...detail }))
  running.addEventListener('forward:closed', ({ detail }) => output.event('forward:closed', { ...detail }))
  running.addEventListener('forward:failed', ({ detail }) =>
    output.event('forward:failed', { ...detail }, `A connection failed: ${detail.error.message}`),
  )
  if (!signal.aborted) await once(signal, 'abort')
}
