/** All surfaces. */

import { control } from './control.ts'
import { dcutr } from './dcutr.ts'
import { gateways } from './gateways.ts'
import { handshake } from './handshake.ts'
import { hopMessages } from './hop-messages.ts'
import { options } from './options.ts'
import { relayStreams } from './relay-streams.ts'
import { streams } from './streams.ts'
import { tickets } from './tickets.ts'
import { tunnel } from './tunnel.ts'
import { yamuxFrames } from './yamux.ts'
import type { Surface } from '../surface.ts'

export const surfaces: readonly Surface[] = [
  tunnel,
  streams,
  hopMessages,
  relayStreams,
  dcutr,
  yamuxFrames,
  control,
  gateways,
  tickets,
  options,
  handshake,
]
