/** OpenSSH's server on a host of the lab, with keys that are made for the occasion. */

import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { untilEvent } from '../waits.ts'
import type { Host } from './net/network.ts'

/** Starts sshd on port 22, and resolves with the options that ssh needs to log in as root. */
export async function startSshd(host: Host, address: string, directory: string): Promise<string[]> {
  await mkdir('/run/sshd', { recursive: true })
  for (const name of ['host_key', 'user_key'])
    await host.exec('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(directory, name)])
  const config = join(directory, 'sshd_config')
  await writeFile(
    config,
    [
      `ListenAddress ${address}:22`,
      `HostKey ${join(directory, 'host_key')}`,
      `AuthorizedKeysFile ${join(directory, 'user_key.pub')}`,
      'PidFile none',
      'StrictModes no',
      'UsePAM no',
      'PermitRootLogin prohibit-password',
      'Subsystem sftp internal-sftp',
      '',
    ].join('\n'),
  )
  await chmod(directory, 0o755)
  const sshd = host.spawn('/usr/sbin/sshd', ['-D', '-e', '-f', config], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let printed = ''
  sshd.stderr!.setEncoding('utf8').on('data', (text: string) => (printed += text))
  await untilEvent(sshd.stderr!, 'data', () => printed.includes('listening on'), 'sshd listens')
  const known = join(directory, 'known_hosts')
  const told = ['StrictHostKeyChecking=accept-new', `UserKnownHostsFile=${known}`, 'BatchMode=yes']
  return ['-F', 'none', '-i', join(directory, 'user_key'), ...told.flatMap(it => ['-o', it])]
}
