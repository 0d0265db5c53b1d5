import { PassThrough } from 'node:stream'
import * as assert from 'uvu/assert'
import { ellipsis, humanDuration, humanSize, printable, Style, table } from '../../src/cli/output.js'
import { suite } from '../support/suite.js'

const test = suite('cli/output')

test('a table is as wide as its cells, three spaces apart and ten at least, with nothing at the end of a line', () => {
  assert.is(table(['NAME', 'X'], []), 'NAME      X\n')
  assert.is(
    table(
      ['A', 'B', 'C'],
      [
        ['long cell', 'b', 'c'],
        ['a', '', ''],
      ],
    ),
    'A           B         C\nlong cell   b         c\na\n',
  )
})

test('times are worded as docker words them', () => {
  const seconds = (count: number) => humanDuration(count * 1000)
  assert.equal(
    [0.5, 1, 59, 60, 119, 120, 46 * 60, 75 * 60, 90 * 60, 47 * 3600, 48 * 3600, 14 * 86400, 60 * 86400, 730 * 86400].map(seconds),
    [
      ...['Less than a second', '1 second', '59 seconds', 'About a minute', 'About a minute', '2 minutes', '46 minutes', 'About an hour'],
      ...['2 hours', '47 hours', '2 days', '2 weeks', '2 months', '2 years'],
    ],
  )
})

test('sizes are decimal with three digits', () => {
  assert.equal([0, 999, 1000, 1997586, 72_800_000, 123_456_789_000].map(humanSize), ['0B', '999B', '1kB', '2MB', '72.8MB', '123GB'])
})

test('colours are for terminals only, and not where NO_COLOR is set', () => {
  const terminal = Object.assign(new PassThrough(), { isTTY: true })
  assert.is(new Style(new PassThrough(), {}).red('x'), 'x')
  assert.is(new Style(terminal, {}).red('x'), '\u001b[31mx\u001b[39m')
  assert.is(new Style(terminal, { NO_COLOR: '1' }).red('x'), 'x')
  assert.is(new Style(terminal, { TERM: 'dumb' }).red('x'), 'x')
})

test('what a guest or an image named cannot steer the terminal', () => {
  assert.is(printable('a\u001b[2Jb\u009b\r'), 'a\\x1b[2Jb\\x9b\\x0d')
  assert.is(ellipsis('123456', 4), '123…')
  assert.is(ellipsis('1234', 4), '1234')
  assert.is(ellipsis(printable('12\u001b[2J'), 6), '12…', 'not in the middle of \\x1b')
  assert.is(ellipsis(printable('1\u001b[2J'), 6), '1\\x1b…')
  assert.is(ellipsis('1😀😀4', 3), '1😀…')
})

test.run()
