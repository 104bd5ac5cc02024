/** Keeps what waits on a multiplexed connection in few pieces, wherever it waits. */

import { joinUnreadPieces } from '../libp2p-utils/unread-pieces.ts'
import { joinPartialFrames } from './partial-frames.ts'
import type { Amendment } from './amend.ts'

export { SmallPieces } from '../piece-joiner.ts'

export const joinSmallPieces: Amendment = (muxer, connection) => {
  joinPartialFrames(muxer, connection)
  joinUnreadPieces(muxer, connection)
}
