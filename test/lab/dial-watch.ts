/** Records where a machine opens TCP connections to, in both families, as its kernel sees the first packet leave. */

import type { Machine } from './net/machine.ts'

const TABLE = 'dial_watch'

export interface DialWatch {
  /** The endpoints so far, `11.0.1.1:4001` or `[fd77::9]:8080`, sorted. */
  endpoints(): Promise<string[]>
}

/** Records from now on. */
export async function watchDials({ namespace }: Machine): Promise<DialWatch> {
  const sets = (['ip', 'ip6'] as const).map(family => ({ family, name: `dialled_${family}` }))
  await namespace.nft(
    [
      `table inet ${TABLE} {`,
      ...sets.map(
        ({ family, name }) =>
          `set ${name} { type ${family === 'ip' ? 'ipv4_addr' : 'ipv6_addr'} . inet_service; flags dynamic; }`,
      ),
      'chain leaving { type filter hook output priority 0; policy accept',
      ...sets.map(
        ({ family, name }) =>
          `tcp flags & (syn | ack) == syn add @${name} { ${family} daddr . tcp dport } counter`,
      ),
      '}',
      '}',
    ].join('\n'),
  )
  return {
    endpoints: async () => {
      const { stdout } = await namespace.exec(['nft', '-j', 'list', 'table', 'inet', TABLE])
      const { nftables } = JSON.parse(stdout) as { nftables: Array<{ set?: { elem?: Element[] } }> }
      return nftables.flatMap(({ set }) => (set?.elem ?? []).map(endpointOf)).toSorted()
    },
  }
}

/** As nft prints one, with or without a counter. */
type Element = { concat: [string, number] } | { elem: { val: { concat: [string, number] } } }

function endpointOf(element: Element): string {
  const [host, port] = 'concat' in element ? element.concat : element.elem.val.concat
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
