import * as assert from 'uvu/assert'
import { forScreen, LineDiscipline } from '../../src/wasm/line-discipline.js'
import { suite } from '../support/suite.js'

const test = suite('wasm/line-discipline')

const typed = (keys: string, line = new LineDiscipline()) => {
  const { input, echo, signal, isEnd } = line.type(Buffer.from(keys))
  return { input: input.toString(), echo: echo.toString(), signal, isEnd }
}
const nothing = { signal: null, isEnd: false }

test('a line is kept until it is ended, and shown as it is typed', () => {
  const line = new LineDiscipline()
  assert.equal(typed('ab', line), { input: '', echo: 'ab', ...nothing })
  assert.equal(typed('c\rd', line), { input: 'abc\n', echo: 'c\r\nd', ...nothing })
  assert.is(line.rest().toString(), 'd')
  assert.is(line.rest().toString(), '')
})

test('characters, words and lines are taken back', () => {
  assert.equal(typed('aä\x7f\x7f\x7fb\n'), { input: 'b\n', echo: 'aä\b \b\b \bb\r\n', ...nothing })
  assert.equal(typed('one two \x17x\n'), { input: 'one x\n', echo: `one two ${'\b \b'.repeat(4)}x\r\n`, ...nothing })
  assert.equal(typed('abc\x15d\n'), { input: 'd\n', echo: `abc${'\b \b'.repeat(3)}d\r\n`, ...nothing })
  assert.equal(typed('\x01\x08\n'), { input: '\n', echo: '^A\b \b\b \b\r\n', ...nothing })
})

test('^C and ^\\ end the program and throw the line away, ^D ends the input of an empty line', () => {
  const line = new LineDiscipline()
  assert.equal(typed('ab\x03cd', line), { input: '', echo: 'ab^C', signal: 'SIGINT', isEnd: false })
  assert.equal(typed('\x1c', line), { input: '', echo: '^\\', signal: 'SIGQUIT', isEnd: false })
  assert.equal(typed('x\n\x04y', line), { input: 'x\n', echo: 'x\r\n', signal: null, isEnd: true })
  assert.equal(typed('part\x04', line), { input: 'part', echo: 'part', ...nothing })
})

test('a line has an end, and what is beyond it is lost', () => {
  const { input } = typed(`${'x'.repeat(5000)}\n`)
  assert.is(input.length, 4096)
})

test('what a program writes goes back to the left at each end of line', () => {
  assert.is(Buffer.from(forScreen(Buffer.from('a\n\nb'))).toString(), 'a\r\n\r\nb')
  assert.is(Buffer.from(forScreen(Buffer.from('plain'))).toString(), 'plain')
})

test.run()
