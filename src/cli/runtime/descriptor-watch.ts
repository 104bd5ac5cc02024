/**
 * Keeps some file descriptors of a program free, and reports when they run out and when there are enough again. It watches every
 * server and every dial of the process.
 */

import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { errorMonitor } from 'node:events'
import { descriptors as ownDescriptors } from '../../node/descriptors.ts'
import type { Server, Socket } from 'node:net'
import type { DescriptorEvents, Descriptors } from '../../node/descriptors.ts'
import type { Output } from '../output/output.ts'

/** Channels of Node.js (diagnostics_channel). The first one comes after the event `connection` of the server. */
const INBOUND = 'net.server.socket'
const OUTBOUND = 'net.client.socket'

/** Watches until the result is disposed of. */
export function watchDescriptors(
  output: Pick<Output, 'event' | 'note'>,
  descriptors: Descriptors = ownDescriptors,
): Disposable {
  const onInbound = (message: unknown): void => {
    const { socket } = message as { socket: Socket }
    if (!isLocal(socket)) descriptors.refuse(socket)
  }
  const onOutbound = (message: unknown): void => {
    const { socket } = message as { socket: Socket }
    socket.once(errorMonitor as unknown as 'error', (error: Error) => descriptors.noteFailure(error))
  }
  const onExhausted = ({ detail }: DescriptorEvents['descriptors:exhausted']): void => {
    output.event('descriptors:exhausted', detail)
    output.note(
      `This process has nearly as many open files and sockets as it may have (${detail.limit}). New connections are refused. Raise the limit (ulimit -n; LimitNOFILE= in a systemd unit).`,
    )
  }
  const onRecovered = ({ detail }: DescriptorEvents['descriptors:recovered']): void => {
    output.event('descriptors:recovered', detail)
    output.note(
      `There are enough file descriptors again. ${detail.refused} connections were refused. New ones are accepted.`,
    )
  }
  subscribe(INBOUND, onInbound)
  subscribe(OUTBOUND, onOutbound)
  descriptors.addEventListener('descriptors:exhausted', onExhausted)
  descriptors.addEventListener('descriptors:recovered', onRecovered)
  return {
    [Symbol.dispose]: () => {
      unsubscribe(INBOUND, onInbound)
      unsubscribe(OUTBOUND, onOutbound)
      descriptors.removeEventListener('descriptors:exhausted', onExhausted)
      descriptors.removeEventListener('descriptors:recovered', onRecovered)
    },
  }
}

/** Whether it came through a Unix socket: `throughnat status` must work when nothing else does. */
function isLocal(socket: Socket): boolean {
  return typeof (socket as Socket & { server?: Server }).server?.address() === 'string'
}
