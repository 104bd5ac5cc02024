/** Loading of what most programs never need. */

/**
 * Returns a function that resolves with what `load` resolves with, and calls it once. A load that failed is tried again at
 * the next call: the process may have had no file descriptor left for a module.
 */
export function lazily<Loaded>(load: () => Promise<Loaded>): () => Promise<Loaded> {
  let latest: Promise<Loaded> | undefined
  return async () => {
    const loading = (latest ??= load())
    try {
      return await loading
    } catch (error) {
      if (latest === loading) latest = undefined
      throw error
    }
  }
}
