/** Which member makes room for a newcomer. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FairShares } from '../../../../src/limits/fair-shares.ts'

interface Member {
  name: string
  usedAt: number
}

/** Shares of which each member is idle after 30 s without use, at 100 s. */
function sharesOf(members: ReadonlyArray<readonly [path: string, usedAt?: number]>): FairShares<Member> {
  const shares = new FairShares<Member>({ idleMs: 30, lastUseOf: it => it.usedAt, now: () => 100 })
  for (const [n, [path, usedAt = 100]] of members.entries())
    shares.add({ name: `${path} ${n}`, usedAt }, path.split(' '))
  return shares
}

const replaced = (shares: FairShares<Member>, path: string): string | undefined =>
  shares.replaceable(path.split(' '))?.name

describe('a newcomer', () => {
  it('replaces the least used member of the network that holds the most', () => {
    const shares = sharesOf([['a 1 x'], ['a 1 y', 99], ['a 2 z', 98], ['b 1 x', 97]])
    assert.equal(replaced(shares, 'b 1 x'), 'a 1 y 1')
  })

  it('replaces a member of the address that holds the most in its own network', () => {
    const shares = sharesOf([['a 1 x'], ['a 1 y'], ['a 1 z'], ['a 2 x']])
    assert.equal(replaced(shares, 'a 3 x'), 'a 1 x 0')
  })

  it('replaces a member of the peer that holds the most at its own address', () => {
    const shares = sharesOf([['a 1 x'], ['a 1 x'], ['a 1 y'], ['a 1 y'], ['a 1 y']])
    assert.equal(replaced(shares, 'a 1 z'), 'a 1 y 2')
  })

  it('replaces no used member of a network that would then hold less than its own', () => {
    const shares = sharesOf([['a 1 x'], ['a 1 y'], ['b 1 x']])
    assert.equal(replaced(shares, 'b 1 y'), undefined)
    assert.equal(replaced(shares, 'a 1 x'), undefined)
  })

  it('replaces the idle member of a network that holds one more', () => {
    const shares = sharesOf([['a 1 x'], ['b 1 x', 70], ['c 1 x', 60]])
    assert.equal(replaced(shares, 'd 1 x'), 'c 1 x 2')
  })

  it('replaces no idle member of a network that holds no more than its own', () => {
    const shares = sharesOf([['a 1 x'], ['a 1 y'], ['b 1 x', 0], ['c 1 x', 0]])
    assert.equal(replaced(shares, 'a 1 z'), undefined)
  })

  it('replaces its own idle member', () => {
    const shares = sharesOf([['a 1 x', 50], ['a 1 x'], ['b 1 x', 0]])
    assert.equal(replaced(shares, 'a 1 x'), 'a 1 x 0')
  })

  it('is refused where there is nothing to replace', () => {
    assert.equal(replaced(sharesOf([]), 'a 1 x'), undefined)
  })
})

describe('shares without uses', () => {
  it('replace the oldest member, and none that was deleted', () => {
    const shares = new FairShares<string>()
    for (const name of ['first', 'second', 'third']) shares.add(name, ['a'])
    assert.equal(shares.replaceable(['a']), 'first')
    shares.delete('first')
    shares.delete('first')
    assert.equal(shares.replaceable(['b']), 'second')
    assert.equal(shares.leastUsed(), 'second')
    shares.delete('second')
    shares.delete('third')
    assert.equal(shares.leastUsed(), undefined)
    assert.equal(shares.size, 0)
  })

  it('give a network its share while another one takes places without end', () => {
    const shares = new FairShares<string>()
    const held = { attacker: 0, innocent: 0 }
    const take = (name: 'attacker' | 'innocent', n: number): void => {
      if (shares.size >= 16) {
        const gone = shares.replaceable([name])
        if (gone === undefined) return
        shares.delete(gone)
        held[gone.split(' ')[0] as 'attacker']--
      }
      shares.add(`${name} ${n}`, [name])
      held[name]++
    }
    for (let n = 0; n < 1000; n++) {
      take('attacker', n)
      if (n % 100 === 50) take('innocent', n)
    }
    assert.deepEqual(held, { attacker: 8, innocent: 8 })
  })
})
