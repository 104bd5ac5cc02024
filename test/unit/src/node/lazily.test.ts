import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { lazily } from '../../../../src/node/lazily.ts'

describe('lazily()', () => {
  it('loads at the first call, and once for all calls', async () => {
    let loads = 0
    const get = lazily(async () => ({ n: ++loads }))
    assert.equal(loads, 0)
    const [one, other] = await Promise.all([get(), get()])
    assert.equal(one, other)
    assert.equal(await get(), one)
    assert.equal(loads, 1)
  })

  it('rejects all calls that wait for a load that fails, and loads again at the next', async () => {
    let loads = 0
    const get = lazily(async () => {
      if (++loads === 1) throw Object.assign(new Error('too many open files'), { code: 'EMFILE' })
      return loads
    })
    const results = await Promise.allSettled([get(), get()])
    assert.deepEqual(
      results.map(it => it.status),
      ['rejected', 'rejected'],
    )
    assert.equal(await get(), 2)
    assert.equal(await get(), 2)
  })
})
