/**
 * Finds who makes room when a limit is reached: the remote that holds the most.
 *
 * Each member is in one group per level, for example a /24, an address and a peer id. A newcomer replaces a member of the
 * largest group, but only if its own group is smaller. So a remote that makes up peer ids or addresses competes with itself,
 * and others get their share however many places it has taken.
 */

/** How members are compared. */
export interface FairSharesInit<T> {
  /** When a member was last used, in milliseconds of {@link now}. @default they count as idle, the oldest first */
  lastUseOf?: (member: T) => number
  /** How long a member must be unused to be idle, in milliseconds. @default 0 */
  idleMs?: number
  /** Milliseconds, for tests. @default performance.now */
  now?: () => number
}

/** All members below one key, in the order in which they were added. */
interface Group<T> {
  readonly members: Set<T>
  readonly groups: Map<string, Group<T>>
}

export class FairShares<T> {
  readonly #init: FairSharesInit<T>
  readonly #root: Group<T> = { members: new Set(), groups: new Map() }
  readonly #paths = new Map<T, readonly string[]>()

  constructor(init: FairSharesInit<T> = {}) {
    this.#init = init
  }

  /** Number of members. */
  get size(): number {
    return this.#paths.size
  }

  /** True for a member. */
  has(member: T): boolean {
    return this.#paths.has(member)
  }

  /** Number of members below a path. */
  count(path: readonly string[]): number {
    return this.#groupAt(path)?.members.size ?? 0
  }

  /** Adds a member. All paths have the same length. */
  add(member: T, path: readonly string[]): void {
    this.#paths.set(member, path)
    let group = this.#root
    group.members.add(member)
    for (const key of path) {
      const next = group.groups.get(key) ?? { members: new Set(), groups: new Map() }
      group.groups.set(key, next)
      group = next
      group.members.add(member)
    }
  }

  /** Removes a member, if it is one. */
  delete(member: T): void {
    const path = this.#paths.get(member)
    if (path === undefined) return
    this.#paths.delete(member)
    let group = this.#root
    group.members.delete(member)
    for (const key of path) {
      const next = group.groups.get(key)
      if (next === undefined) return
      next.members.delete(member)
      if (next.members.size === 0) group.groups.delete(key)
      group = next
    }
  }

  /**
   * The member that makes room for a newcomer. Where groups differ by one, a replacement only swaps them, so only an idle
   * member is replaced. `undefined` if the newcomer must be refused.
   *
   * @param depth - the limit is that of the group at the first so many keys of the path
   */
  replaceable(path: readonly string[], depth = 0): T | undefined {
    const limited = this.#groupAt(path.slice(0, depth))
    if (limited === undefined) return undefined
    let group: Group<T> = limited
    for (const key of path.slice(depth)) {
      const own = group.groups.get(key)
      const ownSize = own?.members.size ?? 0
      const largest = largestOf(group)
      if (largest.size > ownSize + 1) return this.#leastUsedIn(largest.groups)
      if (largest.size > ownSize) {
        const idle = this.#idle(this.#leastUsedIn(largest.groups))
        if (idle !== undefined) return idle
      }
      if (own === undefined) return undefined
      group = own
    }
    return this.#idle(this.#leastUsed(group.members))
  }

  /** The least used member of the largest group below a path. `undefined` if there is none. */
  leastUsed(path: readonly string[] = []): T | undefined {
    const group = this.#groupAt(path)
    return group === undefined ? undefined : this.#leastUsedIn([group])
  }

  #groupAt(path: readonly string[]): Group<T> | undefined {
    let group: Group<T> | undefined = this.#root
    for (const key of path) group = group?.groups.get(key)
    return group
  }

  /** The least used member of the largest groups below these groups. */
  #leastUsedIn(groups: ReadonlyArray<Group<T>>): T | undefined {
    // without uses the first group has the oldest member, or nearly so
    const all = this.#init.lastUseOf === undefined ? groups.slice(0, 1) : groups
    const members = all.map(group =>
      group.groups.size === 0 ? this.#leastUsed(group.members) : this.#leastUsedIn(largestOf(group).groups),
    )
    return this.#leastUsed(members.filter(it => it !== undefined))
  }

  #leastUsed(members: Iterable<T>): T | undefined {
    const { lastUseOf } = this.#init
    let [least] = members
    if (lastUseOf === undefined || least === undefined) return least
    for (const member of members) if (lastUseOf(member) < lastUseOf(least)) least = member
    return least
  }

  /** The member, if it is idle. */
  #idle(member: T | undefined): T | undefined {
    const { lastUseOf, idleMs = 0, now = () => performance.now() } = this.#init
    if (member === undefined || lastUseOf === undefined) return member
    return now() - lastUseOf(member) >= idleMs ? member : undefined
  }
}

/** The largest size of the groups below this one, and the groups that have it. */
function largestOf<T>({ groups }: Group<T>): { size: number; groups: Array<Group<T>> } {
  let size = 0
  let largest: Array<Group<T>> = []
  for (const group of groups.values()) {
    if (group.members.size > size) {
      size = group.members.size
      largest = [group]
    } else if (group.members.size === size) largest.push(group)
  }
  return { size, groups: largest }
}
