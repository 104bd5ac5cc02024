/** Stand-ins for the objects of a library, in which a member is missing that a patch needs. */

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { it } from 'node:test'

/** The members that a patch needs. Nested members are written with dots, after the object that has them. */
export type Members = Readonly<Record<string, unknown>>

interface Refusal {
  name: string
  message: string
  packageName: string
  version: string
  missing: readonly string[]
}

/**
 * Adds a test for each member: the patch must name the package, its version and the member when the member is
 * missing. Members that are not in the list are missing too, so the list must be complete.
 *
 * @param apply - applies the patch to the stand-in
 */
export function refusesWithout(
  packageName: string,
  members: Members,
  apply: (standIn: never) => unknown,
): void {
  for (const member of Object.keys(members))
    it(`throws UpstreamChangedError where ${packageName} has no ${member}`, async () => {
      const applied = async (): Promise<unknown> => apply(standInWithout(members, member) as never)
      await assert.rejects(applied, (error: Refusal) => {
        assert.equal(error.name, 'UpstreamChangedError', error.message)
        assert.equal(error.packageName, packageName)
        assert.equal(error.version, versionOf(packageName))
        const expected = Object.keys(members).filter(name => isPartOf(name, member))
        assert.deepEqual(error.missing.toSorted(), expected.toSorted())
        assert.ok(error.message.startsWith(`${packageName} ${error.version} has no `), error.message)
        assert.ok(error.message.includes(`no ${member}`), error.message)
        return true
      })
    })
}

/** The version of an installed package. */
function versionOf(packageName: string): string {
  const path = new URL(`../../../../node_modules/${packageName}/package.json`, import.meta.url)
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version
}

/**
 * Makes an object with these members but one. It has a class of its own, since a patch looks at each class
 * once.
 */
function standInWithout(members: Members, missing: string): object {
  const standIn = new (class StandIn {})()
  for (const [path, value] of Object.entries(members)) {
    if (isPartOf(path, missing)) continue
    const names = path.split('.')
    const last = names.pop()!
    let parent = standIn as Record<string, unknown>
    for (const name of names) parent = (parent[name] ??= {}) as Record<string, unknown>
    // nested members are added to it
    parent[last] = typeof value === 'object' ? { ...value } : value
  }
  return standIn
}

function isPartOf(path: string, whole: string): boolean {
  return path === whole || path.startsWith(`${whole}.`)
}
