import { execFileSync } from 'node:child_process'
import * as assert from 'uvu/assert'
import { assetPath } from '../../src/launcher/installation.js'
import { OPERATIONS } from '../../src/launcher/operations.js'
import { encodePlan, parseEvent } from '../../src/launcher/protocol.js'
import { NATIVE } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('launcher/operations')

test.needs(NATIVE)('both sides know the same operations with the same number of fields', () => {
  const printed = execFileSync(assetPath('launcher'), ['--operations'], { encoding: 'utf8' }).trim().split('\n').sort()
  assert.equal(
    printed,
    Object.entries(OPERATIONS)
      .map(([name, fields]) => `${name} ${fields.length}`)
      .sort(),
  )
})

test('a plan is NUL-terminated fields that end in the program', () => {
  const bytes = encodePlan({ operations: [['hostname', 'box'], ['seccomp']], exec: { args: ['true', 'x'], env: ['A=1'] } })
  assert.is(bytes.toString(), 'hostname\0box\0seccomp\0exec\0' + '2\0true\0x\0' + '1\0A=1\0')
  assert.is(encodePlan({ operations: [], exec: null }).toString(), 'done\0')
})

test('bytes that are no text stand in a plan as they are, between fields that are', () => {
  const bytes = encodePlan({
    operations: [
      ['path-stat', Buffer.of(0xff, 0x41), 6],
      ['path-stat', Buffer.of(0xfe), 7],
      ['hostname', 'ä'],
    ],
    exec: null,
  })
  assert.is(
    bytes.toString('latin1'),
    `path-stat\0\xffA\x006\0path-stat\0\xfe\x007\0hostname\0${Buffer.from('ä').toString('latin1')}\0done\0`,
  )
})

test('a value with a NUL byte is refused before anything starts', () => {
  assert.throws(() => encodePlan({ operations: [['hostname', 'a\0namespace']], exec: null }), /NUL/)
  assert.throws(() => encodePlan({ operations: [['path-stat', Buffer.from('a\0hostname'), 6]], exec: null }), /NUL/)
  assert.throws(() => encodePlan({ operations: [], exec: { args: ['a\0b'], env: [] } }), /NUL/)
})

test('what is no event is refused', () => {
  for (const line of ['', 'nonsense', '1', 'null', '{"event":"other"}']) assert.throws(() => parseEvent(line))
  assert.equal(parseEvent('{"event":"done"}'), { event: 'done' })
})

test.run()
