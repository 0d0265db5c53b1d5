import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { rejection } from '../support/rejection.js'
import { WASM } from '../support/requirements.js'
import type { SpecChange } from '../support/specs.js'
import { suite } from '../support/suite.js'
import { withWasmWall } from '../support/wasm-wall.js'

const test = suite('wasm/reproducible')
const IMAGE = `sha256:${'a'.repeat(64)}`
const EVERYTHING =
  'clock , random 16 , sleep 100000000 , clock , mkdir /made , write /made/b text , write /made/a text , list /made , walk /etc'.split(' ')
const FILES = { '/etc/b/c': 'c', '/etc/a': 'a', '/etc/d': { target: 'a' } }

function recording(mode: 'record' | 'replay', path: string): SpecChange {
  return { recording: { mode, path, image: IMAGE } }
}

test.needs(WASM)('a program has the same fuel left on every run, and ends for want of it by name', () =>
  withWasmWall(FILES, async ({ run }) => {
    const change = { limits: { fuel: 50_000_000 } }
    const [first, second] = [
      await run(['/probe.wasm', 'print', 'hello'], { change }),
      await run(['/probe.wasm', 'print', 'hello'], { change }),
    ]
    assert.is(first.stdout, 'hello\n')
    const { fuelLeft = 0 } = first.status
    assert.ok(fuelLeft > 0 && fuelLeft < 50_000_000, `${fuelLeft}`)
    assert.is(second.status.fuelLeft, fuelLeft)
    assert.ok(first.receipt.limits.some(({ name, value, mechanism }) => name === 'fuel' && value === 50_000_000 && mechanism === 'wasm'))
    assert.equal(first.receipt.wasm?.instrumented, ['fuel'])
    assert.is(first.receipt.crossCheck.fuel, true)
    const exact = await run(['/probe.wasm', 'print', 'hello'], { change: { limits: { fuel: 50_000_000 - fuelLeft } } })
    assert.equal([exact.status.reason, exact.status.fuelLeft, exact.stdout], ['exited', 0, 'hello\n'])
    const short = await run(['/probe.wasm', 'print', 'hello'], { change: { limits: { fuel: 50_000_000 - fuelLeft - 1 } } })
    assert.is(short.status.reason, 'out-of-fuel')
  }),
)

test.needs(WASM)('an endless loop, a recursion and endless output run out of fuel, and the sandbox says so', () =>
  withWasmWall({}, async ({ run }) => {
    for (const word of ['loop', 'recurse', 'output 0']) {
      const { status, stderr } = await run(['/probe.wasm', ...word.split(' ')], {
        change: { limits: { fuel: word === 'recurse' ? 20_000 : 2_000_000 } },
      })
      assert.equal([status.reason, status.exitCode, status.fuelLeft], ['out-of-fuel', 134, 0], word)
      assert.match(status.detail ?? '', /used up its fuel of/)
      assert.not.match(stderr, /unreachable/)
    }
  }),
)

test.needs(WASM)('a deterministic run is the same each time, whatever the clock says, and its sleeps take no time', () =>
  withWasmWall(FILES, async ({ run }) => {
    const deterministic = (seed: string) =>
      run(['/probe.wasm', ...EVERYTHING], { change: { deterministic: { seed }, limits: { fuel: 1e9 } } })
    const [first, second, other] = [await deterministic('one'), await deterministic('one'), await deterministic('two')]
    assert.is(first.status.reason, 'exited')
    assert.is(second.stdout, first.stdout)
    assert.is(second.status.fuelLeft, first.status.fuelLeft)
    assert.is.not(other.stdout, first.stdout)
    assert.equal(first.receipt.wasm?.instrumented, ['fuel', 'canonical-nan'])
    assert.match(first.stdout, /made\/a|a\n.*b\n/s)
  }),
)

test.needs(WASM)('what is not the same each time is refused with --deterministic', () =>
  withWasmWall({}, async ({ run, folder }) => {
    const deterministic = { seed: '' }
    const mounts = [{ type: 'bind', source: folder, destination: '/outside', readonly: true }] as const
    assert.match((await rejection(run(['/probe.wasm'], { change: { deterministic, mounts } }), 'INVALID_ARGUMENT')).message, '/outside')
    await rejection(run(['/probe.wasm'], { change: { deterministic, process: { terminal: true } } }), 'INVALID_ARGUMENT')
  }),
)

test.needs(WASM)('a recorded run is replayed byte for byte, without its mounts, its stdin and its time', () =>
  withWasmWall(FILES, async ({ run, folder }) => {
    const path = join(folder, 'run.recording')
    const source = join(folder, 'outside')
    mkdirSync(source)
    writeFileSync(join(source, 'input'), 'from outside\n')
    const mounts = [{ type: 'bind', source, destination: '/outside', readonly: true }] as const
    const args = [
      '/probe.wasm',
      ...'clock , random 32 , cat /outside/input , echo , print-error bad , write /x y , list / , exit 7'.split(' '),
    ]
    const first = await run(args, { change: { ...recording('record', path), mounts, limits: { fuel: 1e9 } }, stdin: 'some input\n' })
    assert.is(first.status.exitCode, 7)
    assert.match(first.stdout, /from outside\n.*some input\n/s)
    writeFileSync(join(source, 'input'), 'changed\n')
    const again = await run(args, { change: { ...recording('replay', path), limits: { fuel: 1e9 } } })
    assert.equal([again.status.exitCode, again.status.reason, again.status.fuelLeft], [7, 'exited', first.status.fuelLeft])
    assert.equal([again.stdout, again.stderr], [first.stdout, first.stderr])
  }),
)

test.needs(WASM)('a replay of something else is refused, and one that comes to differ says at which call', () =>
  withWasmWall({ '/other.wasm': readFileSync('dist/wasm/hello.wasm') }, async ({ run, folder }) => {
    const path = join(folder, 'run.recording')
    const args = ['/probe.wasm', 'print', 'one', ',', 'trap']
    const first = await run(args, { change: recording('record', path) })
    assert.is(first.status.reason, 'signaled')
    const replay = (words: readonly string[], change: SpecChange = {}) =>
      run(words, { change: { ...recording('replay', path), ...change } })
    assert.is((await replay(args)).status.reason, 'signaled')
    await rejection(replay(['/probe.wasm', 'print', 'two']), 'INVALID_ARGUMENT')
    await rejection(replay(['/other.wasm', ...args.slice(1)]), 'DIGEST_MISMATCH')
    const imageOf = { recording: { mode: 'replay', path, image: `sha256:${'b'.repeat(64)}` } } as const
    await rejection(replay(args, imageOf), 'DIGEST_MISMATCH')
    const whole = readFileSync(path)
    const cut = whole.subarray(0, whole.length - 20)
    writeFileSync(path, cut)
    const short = await replay(args)
    assert.equal([short.status.reason, short.status.exitCode], ['diverged', 125])
    assert.match(short.status.detail ?? '', /call \d+/)
    // Other arguments than the header says: they are answers too.
    writeFileSync(
      path,
      Buffer.from(
        whole
          .toString('latin1')
          .replace('"one"', '"two"')
          .replace(/one(?=\0)/, 'two'),
        'latin1',
      ),
    )
    const other = await replay(['/probe.wasm', 'print', 'two', ',', 'trap'])
    assert.is(other.status.reason, 'diverged')
    assert.match(other.status.detail ?? '', /at call \d+: it calls fd_write with other bytes/)
  }),
)

test.run()
