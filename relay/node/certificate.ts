/**
 * The certificate of `/tls/ws` listeners. Its files may be renewed while the relay runs.
 *
 * If the new files cannot be used, the previous certificate stays in use. Files that another user can change are not used:
 * that user could show a certificate of their own, or take the relay out of service.
 */

import { unwatchFile, watchFile } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { CertificateError } from '../../src/errors.ts'
import { readWithin } from '../../src/files/bounded-read.ts'
import { integrityFault } from '../../src/files/integrity.ts'
import type { Server, ServerOptions } from 'node:https'

/** The PEM files, as ACME clients write them. */
export interface CertificateFiles {
  /** The certificate, followed by its chain. */
  readonly certFile: string
  readonly keyFile: string
}

interface Pem {
  readonly cert: Buffer
  readonly key: Buffer
}

/** When the files are looked at. */
export interface CertificateTiming {
  /** How often, in milliseconds. */
  readonly intervalMs: number
  /** How long after a change both of them are taken to be written, in milliseconds. */
  readonly settleMs: number
}

/** The longest file, in bytes: a certificate with its chain has some 10 KiB. */
const LONGEST_BYTES = 1024 * 1024

const TIMING: CertificateTiming = { intervalMs: 10_000, settleMs: 2_000 }

/** What came of a change of the files. */
export interface Renewal {
  /** Why there is no new certificate; undefined if there is one. */
  readonly failure: CertificateError | undefined
}

/** The certificate that was last read successfully. */
export class Certificate {
  readonly #files: CertificateFiles
  readonly #timing: CertificateTiming
  /** Servers that show it. */
  readonly #servers = new Set<Server>()
  #pem: Pem | undefined
  #onChange: (() => void) | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(files: CertificateFiles, timing: CertificateTiming = TIMING) {
    this.#files = files
    this.#timing = timing
  }

  /**
   * Reads the files, for the first time or again. Open connections are not affected.
   *
   * @throws {CertificateError} if the files cannot be read, other users can change them, or they do not belong together;
   * the previous certificate then stays in use
   */
  async load(): Promise<void> {
    const { certFile, keyFile } = this.#files
    const [cert, key] = await Promise.all([read(certFile), read(keyFile)])
    try {
      createSecureContext({ cert, key })
    } catch (error) {
      const what = `it and ${keyFile} are not a certificate and its key: ${(error as Error).message}`
      throw new CertificateError(certFile, what, { cause: error })
    }
    this.#pem = { cert, key }
    for (const server of this.#servers) server.setSecureContext(this.#pem)
  }

  /**
   * Reads the files again whenever they change: who renews them may have no way to send a signal (cert-manager in Kubernetes). `onRenewed` is called for each new
   * certificate, and for a change that gives none.
   */
  watch(onRenewed: (renewal: Renewal) => void): void {
    const renew = async (): Promise<void> => {
      const before = this.#pem
      const failure = await this.load().then(
        () => undefined,
        (error: CertificateError) => error,
      )
      if (this.#onChange === undefined) return
      if (failure !== undefined || before === undefined || !isSame(before, this.#pem)) onRenewed({ failure })
    }
    this.#onChange = () => {
      clearTimeout(this.#timer)
      this.#timer = setTimeout(() => void renew(), this.#timing.settleMs).unref()
    }
    for (const file of [this.#files.certFile, this.#files.keyFile])
      watchFile(file, { interval: this.#timing.intervalMs, persistent: false }, this.#onChange)
  }

  /** Ends {@link watch}. */
  unwatch(): void {
    const onChange = this.#onChange
    if (onChange === undefined) return
    this.#onChange = undefined
    clearTimeout(this.#timer)
    for (const file of [this.#files.certFile, this.#files.keyFile]) unwatchFile(file, onChange)
  }

  /** What an HTTPS server is created with. */
  get serverOptions(): ServerOptions {
    return { ...this.#pem }
  }

  /**
   * Has a server show the newest certificate until it closes. `SNICallback` would not do: nothing calls it for a client that dials an IP address, which may name no
   * host (RFC 6066 section 3).
   */
  serve(server: Server): void {
    this.#servers.add(server)
    server.once('close', () => this.#servers.delete(server))
    if (this.#pem !== undefined) server.setSecureContext(this.#pem)
  }
}

function isSame(one: Pem, other: Pem | undefined): boolean {
  return other !== undefined && one.cert.equals(other.cert) && one.key.equals(other.key)
}

async function read(path: string): Promise<Buffer> {
  let bytes: Buffer
  let fault: string | undefined
  try {
    bytes = await readWithin(path, LONGEST_BYTES)
    fault = await integrityFault(path, { isModeFree: true })
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new CertificateError(path, `it cannot be read (${code ?? message})`, { cause: error })
  }
  if (fault !== undefined) throw new CertificateError(path, fault)
  return bytes
}
