/**
 * The certificate of `/tls/ws` listeners. Its files may be renewed while the relay runs.
 *
 * If the new files cannot be used, the previous certificate stays in use.
 */

import { createSecureContext } from 'node:tls'
import { readFile } from 'node:fs/promises'
import { CertificateError } from '../../src/errors.ts'
import type { SecureContext } from 'node:tls'
import type { ServerOptions } from 'node:https'

/** The PEM files, as ACME clients write them. */
export interface CertificateFiles {
  /** The certificate, followed by its chain. */
  readonly certFile: string
  readonly keyFile: string
}

/** The certificate that was last read successfully. */
export class Certificate {
  readonly #files: CertificateFiles
  #pem: { cert: Buffer; key: Buffer } | undefined
  #context: SecureContext | undefined

  constructor(files: CertificateFiles) {
    this.#files = files
  }

  /**
   * Reads the files, for the first time or again. Open connections are not affected.
   *
   * @throws {CertificateError} if the files cannot be read or do not belong together; the previous
   * certificate then stays in use
   */
  async load(): Promise<void> {
    const { certFile, keyFile } = this.#files
    const [cert, key] = await Promise.all([read(certFile), read(keyFile)])
    try {
      this.#context = createSecureContext({ cert, key })
    } catch (error) {
      const what = `it and ${keyFile} are not a certificate and its key: ${(error as Error).message}`
      throw new CertificateError(certFile, what, { cause: error })
    }
    this.#pem = { cert, key }
  }

  /**
   * Options for an HTTPS server. It gets the current certificate for each connection that names a host (SNI).
   */
  get serverOptions(): ServerOptions {
    return { ...this.#pem, SNICallback: (_host, done) => done(null, this.#context) }
  }
}

async function read(path: string): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new CertificateError(path, `it cannot be read (${code ?? message})`, { cause: error })
  }
}
