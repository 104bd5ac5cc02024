/** Identify as every node uses it: the service of `@libp2p/identify` with all patches of this folder. */

import { identify } from '@libp2p/identify'
import { answerInParts } from './message-length.ts'
import { omitPeerId } from './observed-peer-id.ts'
import { omitRelayAddress } from './observed-relay.ts'
import { boundAnswers } from './unbounded-answer.ts'
import type { Identify, IdentifyInit } from '@libp2p/identify'

/** A drop-in for `identify()` of `@libp2p/identify`. Making the service may throw `UpstreamChangedError`. */
export function plainIdentify(init?: IdentifyInit): ReturnType<typeof identify> {
  return (components): Identify => {
    const service = identify(init)(components)
    // first: it takes the place of the answer, and the others change what that gets
    answerInParts(service, components)
    boundAnswers(service)
    omitPeerId(service)
    omitRelayAddress(service)
    return service
  }
}
