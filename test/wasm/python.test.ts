import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { suite } from '../support/suite.js'
import { withWasmWall } from '../support/wasm-wall.js'

const python = readFileSync(join('node_modules', '@antonz', 'python-wasi', 'dist', 'python.wasm'))
const test = suite('wasm/python')

const SCRIPT = `
import json, os, sys, time
os.makedirs('/data/a/b')
with open('/data/a/one.json', 'w') as file:
    json.dump({'sum': sum(json.load(sys.stdin))}, file)
os.rename('/data/a/one.json', '/data/a/b/two.json')
os.symlink('b/two.json', '/data/a/link')
os.symlink('/data/a', '/data/absolute')
print(sorted((where, sorted(folders), sorted(files)) for where, folders, files in os.walk('/data')))
print(open('/data/absolute/link').read(), os.readlink('/data/a/link'), os.path.islink('/data/a/link'))
start = time.monotonic()
time.sleep(0.05)
print(0.05 <= time.monotonic() - start < 5)
os.remove('/data/a/link')
print(os.path.exists('/data/a/link'), os.stat('/data/a/b/two.json').st_size)
print(open('/etc/greeting').read(), os.environ.get('NAME'), open('/dev/null').read() == '')
try:
    open('/missing/file')
except FileNotFoundError as error:
    print(error.errno, error.strerror)
sys.exit(7)
`

test(
  'CPython reads stdin, walks, writes, renames, links, sleeps and exits with its code',
  () =>
    withWasmWall({ '/python.wasm': python, '/script.py': SCRIPT, '/etc/greeting': 'hello' }, async ({ run }) => {
      const { status, stdout, stderr } = await run(['/python.wasm', '/script.py'], {
        stdin: '[1, 2, 39]',
        change: { process: { env: ['NAME=wolffia'], cwd: '/work' } },
      })
      assert.is(stderr, '')
      assert.equal(stdout.split('\n').slice(0, 7), [
        "[('/data', ['a', 'absolute'], []), ('/data/a', ['b'], ['link']), ('/data/a/b', [], ['two.json'])]",
        '{"sum": 42} b/two.json True',
        'True',
        'False 11',
        'hello wolffia True',
        '44 No such file or directory',
        '',
      ])
      assert.equal({ ...status, durationMs: 0 }, { exitCode: 7, reason: 'exited', durationMs: 0 })
    }),
  { timeoutMs: 120_000 },
)

test.run()
