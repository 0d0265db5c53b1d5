// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are a Dockerfile's
import * as assert from 'uvu/assert'
import { EngineError } from '../../src/errors.js'
import { cutWords, expandWord, expandWords } from '../../src/image/expand.js'
import { suite } from '../support/suite.js'

const test = suite('image/expand')
const expansion = {
  variables: new Map([
    ['A', 'a'],
    ['E', ''],
    ['W', 'two words'],
    ['PWD', '/home'],
    ['1', 'one'],
  ]),
  escapeCharacter: '\\',
} as const

/** After BuildKit's own table (shell/envVarTest), where it has the case. */
const WORDS: readonly (readonly [text: string, value: string])[] = [
  ['', ''],
  ['hello', 'hello'],
  ["he'll'o", 'hello'],
  ["he\\'llo", "he'llo"],
  ["he'll\\'o", 'hell\\o'],
  ['abc\\tdef', 'abctdef'],
  ["'abc\\tdef'", 'abc\\tdef'],
  ['"abc\\tdef"', 'abc\\tdef'],
  ['"abc\\"def"', 'abc"def'],
  ['hello\\', 'hello'],
  ['"hel\'lo"', "hel'lo"],
  ['$A', 'a'],
  ['$Ax', ''],
  ['$A.x', 'a.x'],
  ['$1x', 'onex'],
  ['$', '$'],
  ['he$', 'he$'],
  ['he$.', 'he$.'],
  ['\\$A', '$A'],
  ["'$A'", '$A'],
  ['"$A"', 'a'],
  ['"\\$A"', '$A'],
  ['$W', 'two words'],
  ['${A}', 'a'],
  ['${A}x${A}', 'axa'],
  ['${N:-x}', 'x'],
  ['${E:-x}', 'x'],
  ['${E-x}', ''],
  ['${N-x}', 'x'],
  ['${A:-x}', 'a'],
  ['${N:-$A}', 'a'],
  ['${N:-${M:-deep}}', 'deep'],
  ['${N:-"q }"}', 'q }'],
  ['${A:+x}', 'x'],
  ['${E:+x}', ''],
  ['${E+x}', 'x'],
  ['${N+x}', ''],
  ['${A:?x}', 'a'],
  ['${PWD}/x', '/home/x'],
  ['한글$A한글', '한글a한글'],
]

for (const [text, value] of WORDS)
  test(`${JSON.stringify(text)} is ${JSON.stringify(value)}`, () => assert.is(expandWord(text, expansion), value))

for (const [text, code] of [
  ["he'llo", 'INVALID_ARGUMENT'],
  ['"hello', 'INVALID_ARGUMENT'],
  ['"hello\\"', 'INVALID_ARGUMENT'],
  ['${', 'INVALID_ARGUMENT'],
  ['${}', 'INVALID_ARGUMENT'],
  ['${A', 'INVALID_ARGUMENT'],
  ['${A:', 'INVALID_ARGUMENT'],
  ['${A:-x', 'INVALID_ARGUMENT'],
  ['${A:}', 'INVALID_ARGUMENT'],
  ['${A:^x}', 'INVALID_ARGUMENT'],
  ['${N:?is missing}', 'INVALID_ARGUMENT'],
  ['${A#x}', 'NOT_BUILT'],
  ['${A//x/y}', 'NOT_BUILT'],
] as const)
  test(`${JSON.stringify(text)} is refused`, () => {
    assert.throws(
      () => expandWord(text, expansion),
      (error: unknown) => error instanceof EngineError && error.code === code,
    )
  })

test('substitutions within one another have a depth, by every modifier and in quotes', () => {
  for (const [open, close] of [
    ['${N:-', '}'],
    ['${N-"', '"}'],
    ['${A:+"x', '"}'],
  ]) {
    const nested = (depth: number) => `${open?.repeat(depth)}word${close?.repeat(depth)}`
    assert.match(expandWord(nested(256), expansion), /word$/)
    for (const depth of [257, 100_000])
      assert.throws(
        () => expandWord(nested(depth), expansion),
        (error: unknown) => error instanceof EngineError && error.code === 'INVALID_ARGUMENT' && error.message.length < 200,
      )
  }
  assert.is(expandWord('$A'.repeat(1000), expansion), String(expansion.variables.get('A')).repeat(1000))
})

test('words are parted by spaces outside quotes, those of values included', () => {
  assert.equal(expandWords(' a  "b c" $W "$W" \'\' $E x$W', expansion), ['a', 'b c', 'two', 'words', 'two words', '', 'xtwo', 'words'])
})

test('words are cut with their quotes and escapes, for who expands each alone', () => {
  assert.equal(cutWords('A="x y" B=\'z "\' C=a\\ b', '\\'), ['A="x y"', "B='z \"'", 'C=a\\ b'])
  assert.equal(cutWords('A=x`  B=\\', '`'), ['A=x` ', 'B=\\'])
})

test.run()
