/** The hostile side, in a process of its own. Each attack is bounded in number and time. */

import { serve } from '../serve.ts'
import { lockOut, holdCircuits } from './circuits.ts'
import { floodFrames, answerOwnStream } from './frames.ts'
import { drip, halfRequests, sendLength, silentSockets } from './sockets.ts'
import { fatIdentities, identifyAnswer, silentStreams, slowReservations, streamLength } from './streams.ts'

serve({
  drip,
  halfRequests,
  sendLength,
  silentSockets,
  floodFrames,
  answerOwnStream,
  identifyAnswer,
  streamLength,
  silentStreams,
  fatIdentities,
  slowReservations,
  lockOut,
  holdCircuits,
})
