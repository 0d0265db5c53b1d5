import * as assert from 'uvu/assert'
import { parseThiefReport } from '../../images/thief/report.js'
import { suite } from '../support/suite.js'

const test = suite('images/thief/report')

const report = ['thief/1\tlinux', 'keys\trefused\t412\t0/3\tENOENT', 'fork\tgot\t1893\t29/64\tprocesses', 'end\t1', ''].join('\n')

test('a report is read line by line', () => {
  const { platform, attempts, complete } = parseThiefReport(report)
  assert.is(platform, 'linux')
  assert.is(complete, true)
  assert.equal(attempts[0], { name: 'keys', outcome: 'refused', durationUs: 412, got: 0, wanted: 3, note: 'ENOENT' })
  assert.equal(attempts[1], { name: 'fork', outcome: 'got', durationUs: 1893, got: 29, wanted: 64, note: 'processes' })
})

test('a report without an end is of a thief that was killed', () => {
  assert.is(parseThiefReport('thief/1\twasi\nkeys\trefused\t1\t0/3\tENOENT\n').complete, false)
})

test('what is not a report is refused', () => {
  for (const text of [
    '',
    'hello\n',
    'thief/2\tlinux\n',
    'thief/1\tlinux\nkeys\trefused\t1\t0/3\n',
    'thief/1\tlinux\nkeys\tstolen\t1\t0/3\tx\n',
    'thief/1\tlinux\nkeys\tgot\t1\t1/3\t\x1b[2J\n',
    'thief/1\tlinux\nkeys\tgot\t1\t1/3\tx\nend\t0\n',
    'thief/1\tlinux\nend\t0\nkeys\tgot\t1\t1/3\tx\n',
  ])
    assert.throws(() => parseThiefReport(text), SyntaxError, text)
})

test.run()
