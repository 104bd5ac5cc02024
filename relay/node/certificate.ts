/** The certificate that `/tls/ws` listeners show, read from files that may be renewed while the relay runs. */

import { createSecureContext } from 'node:tls'
import { readFile } from 'node:fs/promises'
import { CertificateError } from '../../src/errors.ts'
import type { Server, ServerOptions } from 'node:https'

/** Where the certificate is: PEM files, as ACME clients write them. */
export interface CertificateFiles {
  /** The certificate, followed by those that it was issued by. */
  readonly certFile: string
  readonly keyFile: string
}

/** One certificate, the newest that could be read. */
export class Certificate {
  readonly #files: CertificateFiles
  /** Servers that show it. */
  readonly #servers = new Set<Server>()
  #pem: { cert: Buffer; key: Buffer } | undefined

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
      createSecureContext({ cert, key })
    } catch (error) {
      const what = `it and ${keyFile} are no certificate and its key: ${(error as Error).message}`
      throw new CertificateError(certFile, what, { cause: error })
    }
    this.#pem = { cert, key }
    for (const server of this.#servers) server.setSecureContext(this.#pem)
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

async function read(path: string): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new CertificateError(path, `it cannot be read (${code ?? message})`, { cause: error })
  }
}
