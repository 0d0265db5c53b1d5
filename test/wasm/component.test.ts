/** WASI 0.2 components behind the Wasm wall, made of the programs that the wall is tested with as modules. */
import { mkdtempSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import * as assert from 'uvu/assert'
import { ResourceTable } from '../../src/wasm/component/resources.js'
import { runComponent } from '../../src/wasm/component/run-component.js'
import { wasiInterfaces } from '../../src/wasm/component/wasi.js'
import { componentOf, componentOfWat, componentWorld } from '../support/components.js'
import { containerSpec } from '../support/specs.js'
import { suite } from '../support/suite.js'
import { guestBytes, withWasmWall } from '../support/wasm-wall.js'

const test = suite('wasm/component')
const python = readFileSync(join('node_modules', '@antonz', 'python-wasi', 'dist', 'python.wasm'))

test('a component runs as a module does: output, exit code, receipt, and once more by exec', async () => {
  const component = await componentOf(guestBytes('hello'))
  await withWasmWall({ '/hello.component.wasm': component }, async ({ run, create, runtime, folder }) => {
    const { status, stdout, stderr, receipt } = await run(['/hello.component.wasm'])
    assert.equal([status.exitCode, status.reason, stdout, stderr], [0, 'exited', 'hello from wasm\n', ''])
    assert.match(receipt.wasm?.engine ?? '', 'component of 4 core modules')
    assert.ok(receipt.wasm?.imports.includes('wasi:cli/stdout@0.2.0'))
    assert.ok(Object.values(receipt.crossCheck).every((agreed) => agreed))
    const directory = mkdtempSync(join(folder, 'running-'))
    const spec = containerSpec({ process: { args: ['/probe.wasm', 'echo'] } })
    const task = await create(['/probe.wasm', 'echo'], {}, { directory })
    await task.start()
    const process = { ...spec.process, args: ['/hello.component.wasm'] }
    const further = await runtime.exec({ id: 'x', directory, spec, process, openStdin: false, outlives: false, endRecord: null })
    const output = text(further.stdout)
    await further.start()
    assert.equal([(await further.wait()).exitCode, await output], [0, 'hello from wasm\n'])
    task.stdin?.end()
    await task.wait()
  })
})

const SCRIPT = `
import json, os, select, sys, time
print(sys.argv[1:], os.environ.get('NAME'), select.select([0], [], [], 5)[0], sum(json.load(sys.stdin)))
os.makedirs('/data/a/b')
open('/data/a/one', 'w').write('1234')
open('/data/a/one', 'a').write('5')
os.rename('/data/a/one', '/data/a/b/two')
os.symlink('b/two', '/data/a/link')
os.link('/data/a/b/two', '/data/a/hard')
os.utime('/data/a/hard', ns=(1_000_000_007, 2_000_000_009))
print(sorted((where, sorted(folders), sorted(files)) for where, folders, files in os.walk('/data')))
print(open('/data/a/b/two').read(), os.readlink('/data/a/link'), os.stat('/data/a/hard').st_mtime_ns, os.stat('/data/a/link').st_size)
start = time.monotonic()
time.sleep(0.05)
print(0.05 <= time.monotonic() - start, len(os.urandom(20)), abs(time.time() - os.stat('/data/a').st_mtime) < 100)
for attempt in (lambda: open('/missing'), lambda: os.rmdir('/data/a'), lambda: open('/scratch/../etc/greeting', 'r').read() + 1, lambda: os.mkdir('/data')):
    try:
        attempt()
    except (OSError, TypeError) as error:
        print(type(error).__name__)
piece = bytes(range(256)) * 4096
with open('/scratch/large', 'wb') as file:
    for _ in range(5):
        file.write(piece)
print(os.stat('/scratch/large').st_size, open('/scratch/large', 'rb').read() == piece * 5)
sys.stdout.flush()
sys.stdout.buffer.write(bytes(range(97, 123)))
sys.exit(7)
`

test(
  'CPython as a component reads stdin, walks, writes, links, sleeps, and tells that it failed',
  async () => {
    const component = await componentOf(python)
    await withWasmWall({ '/python.wasm': component, '/script.py': SCRIPT, '/etc/greeting': 'hello' }, async ({ run }) => {
      const mounts = [{ type: 'tmpfs', destination: '/scratch', readonly: false }] as const
      const { status, stdout, stderr } = await run(['/python.wasm', '/script.py', 'one', 'two'], {
        stdin: '[1, 2, 39]',
        change: { process: { env: ['NAME=wolffia'] }, mounts },
      })
      assert.is(stderr, '')
      assert.equal(stdout.split('\n'), [
        "['one', 'two'] wolffia [0] 42",
        "[('/data', ['a'], []), ('/data/a', ['b'], ['hard', 'link']), ('/data/a/b', [], ['two'])]",
        '12345 b/two 2000000009 5',
        'True 20 True',
        'FileNotFoundError',
        'OSError',
        'TypeError',
        'FileExistsError',
        '5242880 True',
        'abcdefghijklmnopqrstuvwxyz',
      ])
      assert.equal([status.exitCode, status.reason], [1, 'exited'])
    })
  },
  { timeoutMs: 240_000 },
)

test('a deterministic run of a component is the same each time', async () => {
  const component = await componentOfWat(`(module
    (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1) (data (i32.const 0) "\\10\\00\\00\\00\\18\\00\\00\\00")
    (func (export "_start")
      (drop (call $random (i32.const 16) (i32.const 16))) (drop (call $clock (i32.const 0) (i64.const 1) (i32.const 32)))
      (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))`)
  await withWasmWall({ '/c.wasm': component }, async ({ run }) => {
    const once = async (seed?: string) => (await run(['/c.wasm'], seed === undefined ? {} : { change: { deterministic: { seed } } })).stdout
    const first = await once('seed')
    assert.is(await once('seed'), first)
    assert.is.not(await once('other'), first)
    assert.is.not(await once(), first)
  })
})

test('who supervises the thread is told what runs there, the component or the host', () => {
  const glue = `export function instantiate(getCoreModule, imports, instantiateCore) {
    return { run: { run() { imports['wasi:random/random'].getRandomU64(); imports['wasi:clocks/wall-clock'].now() } } } }`
  const told: string[] = []
  const around =
    (name: string) =>
    <Result>(run: () => Result): Result => {
      told.push(name)
      try {
        return run()
      } finally {
        told.push(`${name} over`)
      }
    }
  const parts = { glue, modules: [], limits: { memoryPages: 1, tableElements: 1 }, fuel: null }
  const outcome = runComponent(parts, componentWorld(), { guard: { guest: around('component'), host: around('host') } })
  assert.equal(outcome, { kind: 'exit', exitCode: 0 })
  assert.equal(told, ['component', 'host', 'host over', 'host', 'host over', 'component over'])
})

test('waiting for stdin that has nothing yet ends at the earliest moment that is waited for', () => {
  const world = componentWorld({ input: '' })
  const silent = { available: () => ({ bytes: 0, ended: false }), read: () => 0 }
  const resources = new ResourceTable()
  const all = wasiInterfaces({ ...world, streams: [silent, ...world.streams.slice(1)] as never, resources }) as Record<
    string,
    Record<string, Record<string, (...args: unknown[]) => unknown> & ((...args: unknown[]) => unknown)>
  >
  const input = all['wasi:io/streams']?.InputStream?.subscribe?.(all['wasi:cli/stdin']?.getStdin?.())
  const [later, soon] = [60_000_000_000n, 1000n].map((each) => all['wasi:clocks/monotonic-clock']?.subscribeDuration?.(each))
  assert.equal(all['wasi:io/poll']?.poll?.([later, input, soon]), Uint32Array.of(2))
})

test.run()
