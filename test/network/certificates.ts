/** Certificates for tests, made with openssl: self-signed, for a name, and valid in a given time. */

import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface TestCertificate {
  key: Buffer
  cert: Buffer
}

export interface TestCertificateInit {
  /** As openssl has it: `DNS:localhost`, `IP:127.0.0.1`. */
  name: string
  /** @default now */
  from?: Date
  /** @default in a day */
  until?: Date
}

// `openssl req` of 3.0 sets no start
const CONFIG = `
[ca]
default_ca = test
[test]
database = index.txt
new_certs_dir = .
default_md = sha256
policy = any
rand_serial = yes
x509_extensions = names
[any]
commonName = optional
[names]
subjectAltName = $ENV::NAME
basicConstraints = CA:TRUE
`

const DAY_MS = 86_400_000

/** Makes a self-signed certificate. */
export function newCertificate({
  name,
  from = new Date(Date.now() - 60_000),
  until = new Date(Date.now() + DAY_MS),
}: TestCertificateInit): TestCertificate {
  const cwd = mkdtempSync(join(tmpdir(), 'throughnat-cert-'))
  const openssl = (...args: string[]): void => {
    execFileSync('openssl', args, {
      cwd,
      stdio: 'ignore',
      env: { ...process.env, NAME: name },
      timeout: 10_000,
    })
  }
  try {
    writeFileSync(join(cwd, 'ca.conf'), CONFIG)
    writeFileSync(join(cwd, 'index.txt'), '')
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
    openssl('req', '-new', ...curve, '-keyout', 'key.pem', '-out', 'request.pem', '-subj', '/CN=test')
    const signing = ['-selfsign', '-keyfile', 'key.pem', '-in', 'request.pem', '-out', 'cert.pem', '-notext']
    const times = ['-startdate', stamp(from), '-enddate', stamp(until)]
    openssl('ca', '-batch', '-config', 'ca.conf', ...signing, ...times)
    return { key: readFileSync(join(cwd, 'key.pem')), cert: readFileSync(join(cwd, 'cert.pem')) }
  } finally {
    rmSync(cwd, { recursive: true, force: true })
  }
}

/** YYYYMMDDHHMMSSZ */
function stamp(date: Date): string {
  return date.toISOString().replaceAll(/[-:T]|\.\d+/g, '')
}

/** A certificate for loopback in files, as a relay is given it, until the test is over. */
export function certificateFiles(t: { after: (close: () => void) => void }): {
  tlsCert: string
  tlsKey: string
} {
  const directory = mkdtempSync(join(tmpdir(), 'throughnat-cert-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  const { cert, key } = newCertificate({ name: 'IP:127.0.0.1' })
  const [tlsCert, tlsKey] = [join(directory, 'cert.pem'), join(directory, 'key.pem')]
  writeFileSync(tlsCert, cert)
  writeFileSync(tlsKey, key)
  return { tlsCert, tlsKey }
}
