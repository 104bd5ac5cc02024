/**
 * The dialing side of tunnels: a local TCP port whose every connection ends at a remote peer's service.
 *
 * The invariant: what happens to one connection happens to that connection only, and its local caller learns at once,
 * by a reset, that it did not reach the service.
 */
import { AbortError, ConnectionClosedError, LimitError } from '@libp2p/interface'
import { TypedEventEmitter } from 'main-event'
import type { TypedEventTarget } from 'main-event'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { openService } from './open-service.ts'
import type { OpenStream } from './open-service.ts'
import { MAX_CONNECTIONS_PER_PEER } from './protocol.ts'
import { resetSocket, splice } from './splice.ts'
import type { Traffic } from './splice.ts'
