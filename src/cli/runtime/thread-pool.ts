/**
 * Leaves threads for names when a disk does not answer.
 *
 * Node.js reads files and looks up names in the same pool of threads. A disk that hangs (NFS, a frozen file system) can hold five at the same time: one each for reading and writing
 * the peer store, for the tickets, for stdout and for stderr. libuv's default is four threads, so that no name would be found any more.
 */

/** Five for the disk, and three for names. A thread that waits costs some tens of KiB. */
const THREADS = 8

/** Takes effect if the pool has not been used before; libuv reads the variable then. */
export function enlargeThreadPool(): void {
  process.env['UV_THREADPOOL_SIZE'] ??= String(THREADS)
}
