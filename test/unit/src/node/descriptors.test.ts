import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { describe, it } from 'node:test'
import { Descriptors } from '../../../../src/node/descriptors.ts'
import type { Socket } from 'node:net'
import type { TestContext } from 'node:test'

const LIMIT = 1024
/** The lowest number that is kept free of so many. */
const LAST = LIMIT - 16

/** A socket with this number, and how it was ended. */
function socketWith(fd: number | undefined, ends: string[] = [], canReset = true): Socket {
  return {
    _handle: fd === undefined ? null : { fd },
    resetAndDestroy: () => {
      if (!canReset) throw new Error('ERR_INVALID_HANDLE_TYPE')
      ends.push('reset')
    },
    destroy: () => ends.push('destroyed'),
  } as unknown as Socket
}

class Stage {
  next = 20
  limit = LIMIT
  readonly events: unknown[] = []
  readonly #t: TestContext
  readonly descriptors: Descriptors

  constructor(t: TestContext) {
    this.#t = t
    t.mock.timers.enable({ apis: ['setInterval'] })
    this.descriptors = new Descriptors({
      readLimit: () => this.limit,
      nextNumber: () => {
        if (this.next >= this.limit) throw Object.assign(new Error('EMFILE'), { code: 'EMFILE' })
        return this.next
      },
    })
    for (const name of ['descriptors:exhausted', 'descriptors:recovered'] as const)
      this.descriptors.addEventListener(name, ({ type, detail }) => this.events.push([type, detail]))
  }

  second(): void {
    this.#t.mock.timers.tick(1_000)
  }
}

describe('descriptors', () => {
  it('accepts a connection that leaves the reserve free', t => {
    const { descriptors, events } = new Stage(t)
    for (const fd of [3, LAST - 1, -1, undefined]) assert.equal(descriptors.refuse(socketWith(fd)), undefined)
    assert.deepEqual(events, [])
  })

  it('resets a connection that takes of the reserve, and says so once', t => {
    const { descriptors, events } = new Stage(t)
    const ends: string[] = []
    for (const fd of [LAST, LIMIT - 1]) assert.equal(descriptors.refuse(socketWith(fd, ends))?.code, 'EMFILE')
    descriptors.refuse(socketWith(LAST, ends, false))
    assert.deepEqual(ends, ['reset', 'reset', 'destroyed'])
    assert.deepEqual(events, [['descriptors:exhausted', { limit: LIMIT }]])
  })

  it('has a smaller reserve where there are few', t => {
    const stage = new Stage(t)
    stage.limit = 64
    assert.equal(stage.descriptors.refuse(socketWith(55)), undefined)
    assert.equal(stage.descriptors.refuse(socketWith(56))?.code, 'EMFILE')
  })

  it('refuses nothing where the limit is unknown', t => {
    const stage = new Stage(t)
    stage.limit = Number.POSITIVE_INFINITY
    assert.equal(stage.descriptors.refuse(socketWith(1_000_000)), undefined)
    assert.equal(stage.descriptors.lack({ syscall: 'connect' }), undefined)
  })

  it('lets no connection be made that would take of the reserve', t => {
    const stage = new Stage(t)
    assert.equal(stage.descriptors.lack({ syscall: 'connect' }), undefined)
    for (stage.next of [LAST, LIMIT])
      assert.deepEqual(
        { ...stage.descriptors.lack({ syscall: 'connect', address: '127.0.0.1', port: 22 }) },
        {
          code: 'EMFILE',
          syscall: 'connect',
          address: '127.0.0.1',
          port: 22,
        },
      )
    assert.equal(stage.events.length, 1)
  })

  it('counts failures for want of a descriptor, and no others', t => {
    const stage = new Stage(t)
    for (const code of ['ECONNREFUSED', undefined, 'EMFILE', 'ENFILE'])
      stage.descriptors.noteFailure(Object.assign(new EventEmitter() as unknown as Error, { code }))
    stage.second()
    assert.deepEqual(stage.events.at(-1), ['descriptors:recovered', { limit: LIMIT, refused: 2 }])
  })

  it('recovers when twice the reserve is free, and tells how many were refused since', t => {
    const stage = new Stage(t)
    stage.descriptors.refuse(socketWith(LAST))
    for (stage.next of [LIMIT, LIMIT - 32]) {
      stage.second()
      assert.equal(stage.events.length, 1)
    }
    stage.next = LIMIT - 33
    stage.second()
    assert.deepEqual(stage.events.at(-1), ['descriptors:recovered', { limit: LIMIT, refused: 1 }])
    stage.second()
    assert.equal(stage.events.length, 2)
    stage.descriptors.refuse(socketWith(LAST))
    stage.second()
    assert.deepEqual(stage.events.at(-1), ['descriptors:recovered', { limit: LIMIT, refused: 1 }])
  })
})
