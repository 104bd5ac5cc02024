/** An error and what it came from: its causes and, for an AggregateError, the errors in it, outermost first. */

/** Yields each error once, so that errors that are causes of each other end, too. */
export function* causesOf(error: unknown, seen: Set<unknown> = new Set()): Generator<Error> {
  if (!(error instanceof Error) || seen.has(error)) return
  seen.add(error)
  yield error
  if (error instanceof AggregateError) for (const each of error.errors) yield* causesOf(each, seen)
  yield* causesOf(error.cause, seen)
}
