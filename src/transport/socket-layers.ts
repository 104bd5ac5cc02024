/** What is written to a socket past it: an encryption on top of it hands its records to the kernel by itself. */

import type { Socket } from 'node:net'

const layers = new WeakMap<Socket, Socket>()

/** Notes that another socket has been put on top of this one. */
export function addLayer(socket: Socket, layer: Socket): void {
  layers.set(socket, layer)
}

/** Bytes that were written to a socket and to what is on top of it, before encryption. */
export function bytesWrittenTo(socket: Socket): number {
  return socket.bytesWritten + (layers.get(socket)?.bytesWritten ?? 0)
}

/** Of these, the bytes that are not with the kernel yet. */
export function bytesQueuedIn(socket: Socket): number {
  return socket.writableLength + (layers.get(socket)?.writableLength ?? 0)
}
