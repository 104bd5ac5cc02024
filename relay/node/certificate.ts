/** The certificate that `/tls/ws` listeners show, read from files that may be renewed while the relay runs. */

import { createSecureContext } from 'node:tls'
import { readFile } from 'node:fs/promises'
import { CertificateError } from '../../src/errors.ts'
import type { SecureContext } from 'node:tls'
import type { ServerOptions } from 'node:https'

/** Where the certificate is: PEM files, as ACME clients write them. */
export interface CertificateFiles {
  /** The certificate, followed by those that it was issued by. */
  readonly certFile: string
  readonly keyFile: string
}

/** One certificate, the newest that could be read. */
export class Certificate {
  readonly #files: CertificateFiles
  #pem: { cert: Buffer; key: Buffer } | undefined
  #context: SecureContext | undefined

  constructor(files: CertificateFiles) {
    this.#files = files
  }

  /**
   * Reads the files, again if they were read before. Connections that there are keep the certificate that they were shown.
   *
   * @throws {CertificateError} if they cannot be read, or do not belong together; what was read before still holds then
   */
  async load(): Promise<void> {
    const { certFile, keyFile } = this.#files
    const [cert, key] = await Promise.all([read(certFile), read(keyFile)])
    try {
      this.#context = createSecureContext({ cert, key })
    } catch (error) {
      const what = `it and ${keyFile} are no certificate and its key: ${(error as Error).message}`
      throw new CertificateError(certFile, what, { cause: error })
    }
    this.#pem = { cert, key }
  }

  /** What an HTTPS server needs: it asks for the newest certificate with each connection that names a host. */
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
