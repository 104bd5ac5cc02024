/** libp2p's compliance tests for the multiplexer. */

import './mocha.ts'
import { describe } from 'node:test'
import { muxer } from '../../../src/muxer/muxer.ts'

const { default: testMuxer } = await import('@libp2p/interface-compliance-tests/stream-muxer')

describe('muxer() is a stream multiplexer', () => {
  testMuxer({ setup: async () => muxer()(), teardown: async () => {} })
})
