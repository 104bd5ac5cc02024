/**
 * Says what this machine lacks for the NAT lab, and which Debian package would bring it.
 *
 * Plain JavaScript, since it has to run before the project's own Node is there (Node >= 20). By hand:
 * `node test/lab/net/prerequisites.mjs` prints the list as JSON.
 */
import { spawnSync } from 'node:child_process'
import { accessSync, closeSync, constants, openSync, realpathSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const PROGRAMS = [
  { what: 'ip', debianPackage: 'iproute2', why: 'makes the network namespaces, links and routes' },
  { what: 'nft', debianPackage: 'nftables', why: 'turns a namespace into a NAT' },
  {
    what: 'conntrack',
    debianPackage: 'conntrack',
    why: 'shows and flushes the connections that a NAT knows',
  },
  { what: 'tcpdump', debianPackage: 'tcpdump', why: 'captures what passes a NAT' },
  { what: 'python3', debianPackage: 'python3', why: 'runs the forwarder that delays and loses packets' },
  { what: 'nsenter', debianPackage: 'util-linux', why: 'starts programs inside a namespace' },
  { what: 'setpriv', debianPackage: 'util-linux', why: 'ties the life of a program inside to its parent' },
  // the package of that name would bring a service that starts; this one has the program alone
  {
    what: 'miniupnpd',
    debianPackage: 'miniupnpd-nftables',
    why: 'makes a NAT map ports when it is asked to',
  },
  { what: 'sshd', debianPackage: 'openssh-server', why: 'is what people reach through a tunnel' },
  { what: 'scp', debianPackage: 'openssh-client', why: 'copies through a tunnel' },
  { what: 'faketime', debianPackage: 'faketime', why: 'sets the clock of one program' },
  { what: 'ping', debianPackage: 'iputils-ping', why: 'measures delay and loss in the lab’s own test' },
]

/** What the kernel has to be able to do, as nft and ip see it. */
const RULES = `
table ip nat {
  map owner {
    type inet_service : ipv4_addr . inet_service
    flags dynamic,timeout
  }
  chain prerouting {
    type nat hook prerouting priority dstnat
    dnat ip to tcp dport map @owner
  }
  chain postrouting {
    type nat hook postrouting priority srcnat
    snat to 192.0.2.1 fully-random
  }
}
table inet filter {
  chain input {
    type filter hook input priority filter
    ct state new reject with icmpx port-unreachable
  }
}
`

export function findMissing() {
  if (process.platform !== 'linux')
    return { missing: [{ what: 'Linux', why: 'the lab is made of network namespaces' }] }
  const missing = PROGRAMS.filter(({ what }) => !isInPath(what))
  const isRoot = process.geteuid?.() === 0
  if (!isRoot) missing.push({ what: 'root', why: 'network namespaces and NAT rules need it' })
  if (!opens('/dev/net/tun'))
    missing.push({ what: '/dev/net/tun', why: 'packets pass through it to be delayed' })
  // Without the programs or the rights, trying would only say the same again.
  if (isRoot && !missing.some(({ what }) => ['ip', 'nft', 'nsenter'].includes(what)))
    missing.push(...kernelGaps())
  return { missing }
}

function kernelGaps() {
  const name = `tn${process.pid}x0-prerequisites`
  const tries = [
    {
      what: 'network namespaces',
      why: 'every machine of the lab is one',
      command: ['ip', 'netns', 'add', name],
    },
    {
      what: 'virtual Ethernet',
      why: 'it links the machines of the lab',
      command: ['ip', '-n', name, 'link', 'add', 'veth0', 'type', 'veth', 'peer', 'name', 'veth1'],
    },
    {
      what: 'bridges',
      why: 'they are the LANs of the lab',
      command: ['ip', '-n', name, 'link', 'add', 'lan0', 'type', 'bridge'],
    },
    {
      what: 'nftables with NAT',
      why: 'the NATs of the lab are made with it',
      command: ['nsenter', `--net=/run/netns/${name}`, '--', 'nft', '-f', '-'],
    },
  ]
  const gaps = []
  for (const { what, why, command } of tries) {
    const { status, stderr, error } = attempt(command)
    if (status === 0) continue
    gaps.push({
      what,
      why: `${why} (${command[0]}: ${error?.message ?? stderr.toString().trim().split('\n')[0]})`,
    })
    if (command.includes('netns')) break
  }
  attempt(['ip', 'netns', 'del', name])
  return gaps
}

function attempt([program, ...args]) {
  return spawnSync(program, args, { input: RULES, timeout: 5000 })
}

function isInPath(program) {
  return (process.env.PATH ?? '').split(delimiter).some(directory => {
    try {
      accessSync(join(directory, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

function opens(device) {
  try {
    closeSync(openSync(device, 'r+'))
    return true
  } catch {
    return false
  }
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url))
  process.stdout.write(`${JSON.stringify(findMissing(), undefined, 2)}\n`)
