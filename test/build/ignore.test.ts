import * as assert from 'uvu/assert'
import { componentMatcher, parseIgnore } from '../../src/build/ignore.js'
import { suite } from '../support/suite.js'

const test = suite('build/ignore')

/** After moby/patternmatcher's own table, and docker's documents of .dockerignore. */
const CASES: readonly (readonly [patterns: string, ignored: string, kept: string])[] = [
  ['*', 'a a/b .hidden', ''],
  ['*.go', 'a.go .go', 'a.js b/a.go a.go.txt'],
  ['**/*.go', 'a.go b/a.go b/c/a.go', 'a.js'],
  ['**', 'a a/b', ''],
  ['**/', 'a a/b', ''],
  ['dir/**', 'dir/file dir/a/b', 'dir dirs/x'],
  ['**/dir/**', 'dir/x a/dir/x a/b/dir/x/y', 'dir a/x'],
  ['**/foo/bar', 'foo/bar a/foo/bar a/b/foo/bar foo/bar/x', 'foo bar foo/x'],
  ['a/**/z', 'a/z a/b/z a/b/c/z', 'z a az'],
  ['docs', 'docs docs/x docs/a/b', 'docsx a/docs'],
  ['/docs', 'docs/x', 'a/docs'],
  ['docs/', 'docs/x', 'a/docs'],
  ['*/temp*', 'a/temporary a/temp a/temp.d/x', 'temp a/b/temp'],
  ['temp?', 'tempa tempb/x', 'temp tempab'],
  ['./a/../b', 'b', 'a'],
  ['[a-c]x', 'ax bx', 'dx x'],
  ['[^a-c]x', 'dx', 'ax'],
  ['a\\*b', 'a*b', 'axb'],
  ['a[]]b', 'a]b', 'ab'],
  ['a.b+(c){2}$', 'a.b+(c){2}$', 'axb'],
  ['docs\n!docs/README.md', 'docs/x docs/a/README.md', 'docs/README.md'],
  ['*.md\n!README*.md\nREADME-secret.md', 'a.md README-secret.md', 'README.md README-x.md'],
  ['!a\na', 'a', 'b'],
  ['# a\n\n  b  ', 'b', 'a # '],
  ['\u00ef\u00bb\u00bfa', 'a', 'b'],
  ['!x', '', 'x a'],
  ['.', '', 'a'],
]

for (const [patterns, ignored, kept] of CASES)
  test(`${JSON.stringify(patterns)} leaves out ${ignored || 'nothing'}`, () => {
    const ignore = parseIgnore(patterns, '.dockerignore')
    for (const path of ignored.split(' ').filter(Boolean)) assert.ok(ignore.ignores(path), `${path} is kept`)
    for (const path of kept.split(' ').filter(Boolean)) assert.not.ok(ignore.ignores(path), `${path} is left out`)
  })

test('a broken pattern is told with its line', () => {
  for (const pattern of ['[', 'a\\', '[z-a]', '!'])
    assert.throws(() => parseIgnore(`ok\n${pattern}`, '.dockerignore'), /^.*\.dockerignore:2: /)
})

test("a source's component is matched as Go's filepath.Match does", () => {
  for (const [pattern, name, matches] of [
    ['*', 'a', true],
    ['a**b', 'axxb', true],
    ['[!a]', '!', true],
    ['[^a]', 'b', true],
    ['\\*', '*', true],
    ['\\*', 'a', false],
    ['?', 'ab', false],
    ['*.txt', 'x.txt', true],
    ['*.txt', 'x.md', false],
  ] as const)
    assert.is(componentMatcher(pattern)(name), matches, `${pattern} ${name}`)
})

test.run()
