/** What shells offer, asked of the shells themselves. */

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { peerCommands } from '../../../../../peer/commands/program.ts'
import { completionScript } from '../../../../../src/cli/command-line/completion.ts'

/** Has bash complete the last of the words. */
function offered(...words: string[]): string[] {
  const line = ['throughnat', ...words].map(word => `'${word}'`).join(' ')
  const script = `${completionScript('bash', 'throughnat', peerCommands)}
COMP_WORDS=(${line}); COMP_CWORD=${words.length}; _throughnat; printf '%s\\n' "\${COMPREPLY[@]}"`
  const { stdout, stderr, status } = spawnSync('bash', ['-u', '-c', script], {
    encoding: 'utf8',
    cwd: import.meta.dirname,
  })
  assert.equal(status, 0, stderr)
  return stdout.split('\n').filter(word => word !== '')
}

function isMissing(shell: string): boolean {
  return spawnSync(shell, ['-c', 'true']).error !== undefined
}

test('bash offers the commands', () => {
  assert.deepEqual(offered('t'), ['ticket', 'tickets'])
  for (const { name } of peerCommands) assert.ok(offered('').includes(name), name)
})

test('bash offers the options of the command, and no others', () => {
  assert.deepEqual(offered('ping', '--un'), ['--until-direct'])
  assert.deepEqual(offered('listen', '--un'), [])
  assert.ok(offered('status', '--w').includes('--watch'))
})

test('bash offers files where a path is wanted, words where there are a few, and nothing where it cannot know', () => {
  assert.ok(offered('listen', '--data-dir', '').includes('completion.test.ts'))
  assert.deepEqual(offered('completion', 'z'), ['zsh'])
  assert.deepEqual(offered('listen', '--expose', ''), [])
})

test('zsh takes the script for a completion of the program', {
  skip: isMissing('zsh') ? 'zsh is not installed' : false,
}, () => {
  const script = completionScript('zsh', 'throughnat', peerCommands)
  const lines = ['autoload -U +X compinit && compinit -D -u', script, 'print $_comps[throughnat]']
  const { stdout, stderr } = spawnSync('zsh', ['-f', '-c', lines.join('\n')], { encoding: 'utf8' })
  assert.equal(stderr, '')
  assert.match(stdout, /_throughnat/)
})

test('fish offers commands, options, and words', {
  skip: isMissing('fish') ? 'fish is not installed' : false,
}, () => {
  const script = completionScript('fish', 'throughnat', peerCommands)
  const ask = (line: string): string[] => {
    const args = ['--no-config', '-c', `${script}\ncomplete -C ${JSON.stringify(line)}`]
    const { stdout, stderr } = spawnSync('fish', args, { encoding: 'utf8' })
    assert.equal(stderr, '')
    return stdout.split('\n').map(it => it.split('\t')[0] ?? '')
  }
  assert.ok(ask('throughnat ti').includes('tickets'))
  assert.ok(ask('throughnat ping --un').includes('--until-direct'))
  assert.ok(ask('throughnat completion z').includes('zsh'))
})
