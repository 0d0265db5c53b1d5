import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { buffer, text } from 'node:stream/consumers'
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

const HEAVY = `
import hashlib, os, sqlite3, sys
piece = bytes(range(256)) * 4096
with open('/data/large', 'wb') as file:
    for _ in range(50):
        file.write(piece)
digest, size = hashlib.sha256(), 0
with open('/data/large', 'rb') as file:
    while part := file.read(1 << 20):
        digest.update(part)
        size += len(part)
expected = hashlib.sha256()
for _ in range(50):
    expected.update(piece)
print(size, digest.digest() == expected.digest(), file=sys.stderr)
os.mkdir('/data/many')
for number in range(5000):
    with open(f'/data/many/{number}', 'w') as file:
        file.write(str(number))
print(len(os.listdir('/data/many')), sum(int(open(f'/data/many/{number}').read()) for number in range(0, 5000, 50)), file=sys.stderr)
base = sqlite3.connect(':memory:')
base.execute('create table words (word text, count integer)')
base.executemany('insert into words values (?, ?)', [('a', 1), ('b', 2), ('a', 39)])
print(base.execute('select word, sum(count) from words group by word order by word').fetchall(), file=sys.stderr)
sys.stdout.buffer.write(bytes(range(256)))
`

test(
  'CPython writes and reads 50 MB, makes 5,000 files, asks sqlite3 in memory, and its stdout is bytes',
  () =>
    withWasmWall({ '/python.wasm': python, '/script.py': HEAVY, '/data/.keep': '' }, async ({ create }) => {
      const task = await create(['/python.wasm', '/script.py'])
      const output = Promise.all([buffer(task.stdout), task.stderr === null ? '' : text(task.stderr)])
      await task.start()
      task.stdin?.end()
      const { exitCode } = await task.wait()
      const [stdout, stderr] = await output
      assert.equal([exitCode, stderr], [0, "52428800 True\n5000 247500\n[('a', 40), ('b', 2)]\n"])
      assert.equal([...stdout], [...Array(256).keys()])
    }),
  { timeoutMs: 240_000 },
)

test.run()
