/**
 * The codes of errors that TLS, HTTP and WebSockets fail with, in words.
 *
 * Codes: docs of Node.js, "X509 certificate error codes" and "Errors"; undici's docs/api/Errors.md.
 */

const UNKNOWN_CA =
  'its certificate is from an authority that this machine does not know, or the server leaves out a part of the chain; ' +
  'name a CA of your own in NODE_EXTRA_CA_CERTS'

const SELF_SIGNED = 'its certificate is self-signed; name it in NODE_EXTRA_CA_CERTS if you trust it'

const NO_TLS = 'it does not speak TLS on this port; its address may end in /ws in place of /tls/ws'

const MEANINGS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: "its certificate is not valid yet; check this machine's clock",
  CERT_REVOKED: 'its certificate has been revoked',
  CERT_UNTRUSTED: UNKNOWN_CA,
  CERT_SIGNATURE_FAILURE: 'its certificate has a wrong signature',
  INVALID_PURPOSE: 'its certificate is not one for servers',
  HOSTNAME_MISMATCH: 'its certificate is for another name',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
  DEPTH_ZERO_SELF_SIGNED_CERT: SELF_SIGNED,
  SELF_SIGNED_CERT_IN_CHAIN: UNKNOWN_CA,
  UNABLE_TO_GET_ISSUER_CERT: UNKNOWN_CA,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN_CA,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNKNOWN_CA,
  EPROTO: NO_TLS,
  ERR_SSL_WRONG_VERSION_NUMBER: NO_TLS,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: NO_TLS,
  ERR_SSL_HTTP_REQUEST: NO_TLS,
  ERR_SSL_TLSV1_UNRECOGNIZED_NAME: 'it has no certificate for this name',
  ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE: 'it refuses the TLS handshake',
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: 'it speaks only another version of TLS',
  UND_ERR_SOCKET:
    'it closed the connection without an answer; its address may end in /tls/ws in place of /ws',
  UND_ERR_CONNECT_TIMEOUT: 'no answer in time',
  UND_ERR_HEADERS_TIMEOUT: 'no answer in time',
}

/** Says what a code of TLS, HTTP or WebSockets means, in one clause; undefined for other codes. */
export function connectionMeaningOf(code: string): string | undefined {
  if (Object.hasOwn(MEANINGS, code)) return MEANINGS[code]
  return code.startsWith('HPE_') ? 'it does not speak HTTP on this port' : undefined
}
