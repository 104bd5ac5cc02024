/**
 * Reads a few leaves from the XML of a gateway, and writes SOAP requests.
 *
 * It needs no XML parser, because it builds nothing from the rest. Invariant: every pattern takes linear time
 * on any text, because no part of it can match where another part begins.
 * Spec: UPnP WANIPConnection:1 and :2.
 */

/** By UPnP InternetGatewayDevice:1 and :2. If a device has both versions, the later one comes first. */
const SERVICE_TYPES = [
  'urn:schemas-upnp-org:service:WANIPConnection:2',
  'urn:schemas-upnp-org:service:WANIPConnection:1',
  'urn:schemas-upnp-org:service:WANPPPConnection:1',
]

/** Services that are read. A gateway has about ten. */
const MAX_SERVICES = 64

/** A namespace prefix. XML does not limit its length; devices use one letter. */
const PREFIX = '(?:[\\w.-]{1,32}:)?'

/** A service, and the URL that accepts its actions. */
export interface Service {
  readonly type: string
  readonly control: URL
}

/**
 * The services in a device's description that map ports, best first. Only services on the host of the
 * description count, because a device may not send requests to another host.
 */
export function readServices(description: string, location: URL): Service[] {
  const base = leaf(description, 'URLBase')
  const services = description
    .split(new RegExp(`<${PREFIX}service>`))
    .slice(1, MAX_SERVICES + 1)
    .flatMap(text => readService(text, base ?? '', location))
  return SERVICE_TYPES.flatMap(type => services.find(it => it.type === type) ?? [])
}

function readService(text: string, base: string, location: URL): Service[] {
  const type = leaf(text, 'serviceType')
  const path = leaf(text, 'controlURL')
  if (type === undefined || path === undefined) return []
  const from = URL.canParse(base) ? base : location.href
  if (!URL.canParse(path, from)) return []
  const control = new URL(path, from)
  return control.protocol === 'http:' && control.hostname === location.hostname ? [{ type, control }] : []
}

/** The text of the first element with this name that contains no other elements. */
export function leaf(xml: string, name: string): string | undefined {
  const found = new RegExp(`<${PREFIX}${name}(?:\\s[^<>]*)?>([^<]*)</`).exec(xml)?.[1]
  return found === undefined ? undefined : decode(found.trim())
}

const ENTITIES: Record<string, string> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' }

function decode(text: string): string {
  return text.replaceAll(/&(lt|gt|quot|apos|amp);/g, (_all, name: string) => ENTITIES[name] ?? '')
}

/** The SOAP request of an action. The arguments are this program's own, and need no escaping. */
export function writeAction(type: string, action: string, args: Readonly<Record<string, string>>): string {
  const list = Object.entries(args).map(([name, value]) => `<${name}>${value}</${name}>`)
  return [
    '<?xml version="1.0"?>',
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"',
    ' s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>',
    `<u:${action} xmlns:u="${type}">${list.join('')}</u:${action}>`,
    '</s:Body></s:Envelope>',
  ].join('')
}
