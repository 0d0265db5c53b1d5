import * as assert from 'uvu/assert'
import type { CommandEntry } from '../../src/cli/command.js'
import { findCommand } from '../../src/cli/find-command.js'
import { suite } from '../support/suite.js'

const test = suite('cli/find-command')
const entry = (summary: string): CommandEntry => ({ summary, load: () => Promise.reject(new Error('not loaded here')) })
const [ps, ls, rm] = [entry('list'), entry('list these'), entry('remove')]
const box = { summary: 'boxes', commands: { ls, rm }, aliases: { list: 'ls' } }
const commands = { ps, box }

test('a command is its first word, a command of a group its first two', () => {
  assert.equal(findCommand(['ps', '-a', 'x'], commands), { kind: 'command', name: 'ps', entry: ps, rest: ['-a', 'x'] })
  assert.equal(findCommand(['box', 'rm', 'ps'], commands), { kind: 'command', name: 'box rm', entry: rm, rest: ['ps'] })
  assert.equal(findCommand(['box', 'list', '-q'], commands), { kind: 'command', name: 'box ls', entry: ls, rest: ['-q'] })
})

test('a group alone or with a flag is the group', () => {
  assert.equal(findCommand(['box'], commands), { kind: 'group', name: 'box', group: box, rest: [] })
  assert.equal(findCommand(['box', '--help', 'ls'], commands), { kind: 'group', name: 'box', group: box, rest: ['--help', 'ls'] })
})

test('what is unknown is told with the words that could stand there', () => {
  assert.equal(findCommand(['bx'], commands), { kind: 'unknown', name: 'bx', group: null, near: ['ps', 'box'] })
  assert.equal(findCommand(['box', 'sl'], commands), { kind: 'unknown', name: 'box sl', group: 'box', near: ['ls', 'rm'] })
  for (const word of ['constructor', '__proto__', 'toString']) {
    assert.is(findCommand([word], commands).kind, 'unknown')
    assert.is(findCommand(['box', word], commands).kind, 'unknown')
  }
})

test.run()
