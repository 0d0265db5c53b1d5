/** Guests with threads (wasi-threads): what they share, and what one of them can do to the others, to the limits and to the supervisor. */
import { readdirSync } from 'node:fs'
import * as assert from 'uvu/assert'
import type { EngineError } from '../../src/errors.js'
import { prepareModule } from '../../src/wasm/module.js'
import { suite } from '../support/suite.js'
import { type Files, type WasmWall, withWasmWall } from '../support/wasm-wall.js'
import { wat } from '../support/wat.js'

const test = suite('wasm/threads.security')

const guests =
  (files: Files, body: (wall: WasmWall) => Promise<void>): (() => Promise<void>) =>
  () =>
    withWasmWall(files, body)

/** A program of which each thread runs `thread`, and the first `start`. `$wait` sleeps until the word at 0 is no more 0. */
function threaded({
  start,
  thread,
  pages = 1,
  maximum = 1,
}: {
  start: string
  thread: string
  pages?: number
  maximum?: number
}): Uint8Array {
  return wat(`(module
    (import "env" "memory" (memory $memory ${pages} ${maximum} shared))
    (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
    (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_open"
      (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (export "memory" (memory $memory))
    (data (i32.const 1040) "from a thread\\n")
    (data (i32.const 1060) "made")
    (func $wait (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1))))
    (func $wake (i32.atomic.store (i32.const 0) (i32.const 1)) (drop (memory.atomic.notify (i32.const 0) (i32.const 100))))
    (func $say (param $fd i32) (param $at i32) (param $length i32)
      (i32.store (i32.const 64) (local.get $at))
      (i32.store (i32.const 68) (local.get $length))
      (drop (call $write (local.get $fd) (i32.const 64) (i32.const 1) (i32.const 72))))
    (func $must (param $condition i32) (if (i32.eqz (local.get $condition)) (then unreachable)))
    (func (export "wasi_thread_start") (param $thread i32) (param $argument i32) ${thread})
    (func (export "_start") (local $count i32) ${start}))`)
}

const SPAWN = '(call $must (i32.gt_s (call $spawn (i32.const 7)) (i32.const 0)))'
const LOOP = '(loop $again (br $again))'
const SLEEP = '(drop (memory.atomic.wait32 (i32.const 32) (i32.const 0) (i64.const -1)))'

test(
  'a descriptor that one thread has opened is the others’ too, and a file that one has made is kept',
  guests(
    {
      '/guest.wasm': threaded({
        // Preopen 3 is the root.
        thread: `(call $must (i32.eqz (call $open (i32.const 3) (i32.const 0) (i32.const 1060) (i32.const 4) (i32.const 1)
            (i64.const 0x40) (i64.const 0) (i32.const 0) (i32.const 80))))
          (call $wake)`,
        start: `${SPAWN} (call $wait)
          (call $say (i32.load (i32.const 80)) (i32.const 1040) (i32.const 14))
          (call $must (i32.eqz (call $close (i32.load (i32.const 80)))))
          (call $must (i32.eq (call $close (i32.load (i32.const 80))) (i32.const 8)))
          (call $say (i32.const 1) (i32.const 1040) (i32.const 14))`,
      }),
    },
    async ({ create, folder }) => {
      const task = await create(['/guest.wasm'], { ephemeral: false })
      await task.start()
      assert.equal((await task.wait()).exitCode, 0)
      const kept = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) => /upper-\d+\.tar$/.test(path))
      assert.is(kept.length, 1)
      const { wasm } = await task.receipt()
      assert.equal([wasm?.threadsMaximum, wasm?.imports.includes('wasi.thread-spawn')], [64, true])
    },
  ),
)

test(
  'a trap, an exit and the return of the first thread each end all, whatever the others do',
  guests(
    {
      '/trap.wasm': threaded({ thread: 'unreachable', start: `${SPAWN} ${LOOP}` }),
      '/exit.wasm': threaded({ thread: '(call $exit (i32.const 9))', start: `${SPAWN} ${SLEEP}` }),
      '/return.wasm': threaded({ thread: LOOP, start: SPAWN }),
    },
    async ({ run }) => {
      const { status, stderr } = await run(['/trap.wasm'])
      assert.equal([status.exitCode, status.reason], [134, 'signaled'])
      assert.match(stderr, 'wasm trap: unreachable')
      assert.is((await run(['/exit.wasm'])).status.exitCode, 9)
      assert.is((await run(['/return.wasm'])).status.exitCode, 0)
    },
  ),
)

test(
  'thread bomb: no more threads than the limit, those that have ended not counted',
  guests(
    {
      // Counts those it was given; a negative answer ends it.
      '/bomb.wasm': threaded({
        thread: SLEEP,
        start: `(loop $again (if (i32.gt_s (call $spawn (i32.const 0)) (i32.const 0))
          (then (local.set $count (i32.add (local.get $count) (i32.const 1))) (br $again))))
          (call $exit (local.get $count))`,
      }),
      '/turns.wasm': threaded({
        thread: '(drop (i32.atomic.rmw.add (i32.const 8) (i32.const 1)))',
        start: `(loop $again (drop (call $spawn (i32.const 0)))
          (br_if $again (i32.lt_u (i32.atomic.load (i32.const 8)) (i32.const 5))))`,
      }),
    },
    async ({ run }) => {
      for (const pids of [1, 3]) {
        const { status, receipt } = await run(['/bomb.wasm'], { change: { limits: { pids } } })
        assert.equal([status.exitCode, receipt.wasm?.threadsMaximum], [pids - 1, pids])
      }
      assert.is((await run(['/turns.wasm'], { change: { limits: { pids: 2 } } })).status.exitCode, 0)
    },
  ),
)

test(
  'output bomb of two threads: killed at the limit, and no byte more comes out',
  guests(
    {
      '/bomb.wasm': threaded({
        thread: '(loop $again (call $say (i32.const 1) (i32.const 1040) (i32.const 14)) (br $again))',
        start: `${SPAWN} (loop $again (call $say (i32.const 1) (i32.const 1040) (i32.const 14)) (br $again))`,
      }),
    },
    async ({ run }) => {
      const { status, stdout } = await run(['/bomb.wasm'], { change: { limits: { outputBytes: 50_001 } } })
      assert.equal([status.reason, stdout.length], ['limit', 50_001])
    },
  ),
)

test(
  'a thread that waits for stdin, or for a reader of its output, keeps none of the others waiting',
  guests(
    {
      '/guest.wasm': threaded({
        thread: `(i32.store (i32.const 100) (i32.const 200)) (i32.store (i32.const 104) (i32.const 1)) (call $wake)
          (drop (call $read (i32.const 0) (i32.const 100) (i32.const 1) (i32.const 300)))
          (call $exit (i32.load8_u (i32.const 200)))`,
        start: `${SPAWN} (call $wait) (call $say (i32.const 1) (i32.const 1040) (i32.const 14)) ${SLEEP}`,
      }),
    },
    async ({ create }) => {
      const task = await create(['/guest.wasm'])
      await task.start()
      const [said] = await new Promise<[Buffer]>((resolve) => task.stdout.once('data', (...chunk: [Buffer]) => resolve(chunk)))
      assert.is(said.toString(), 'from a thread\n')
      task.stdin?.write('*')
      assert.is((await task.wait()).exitCode, 42)
    },
  ),
)

test(
  'memory that one thread has grown is there for the calls of another, up to the limit',
  guests(
    {
      '/grow.wasm': threaded({
        maximum: 1000,
        thread: `(call $must (i32.eq (memory.grow (i32.const 3)) (i32.const 1)))
          (call $must (i32.eq (memory.grow (i32.const 1000)) (i32.const -1))) (call $wake)`,
        start: `${SPAWN} (call $wait)
          (call $must (i32.eqz (call $random (i32.const 200000) (i32.const 60000))))
          (call $must (i32.ne (i64.eqz (i64.load (i32.const 259984))) (i32.const 1)))
          (memory.copy (i32.const 260000) (i32.const 1040) (i32.const 14))
          (call $say (i32.const 1) (i32.const 260000) (i32.const 14))
          (call $must (i32.eq (call $random (i32.const 262000) (i32.const 60000)) (i32.const 21)))`,
      }),
      '/large.wasm': threaded({ pages: 100, maximum: 100, thread: '', start: '' }),
    },
    async ({ run, create }) => {
      const limits = { memoryBytes: 16 * 65_536 }
      const { status, stdout, stderr, receipt } = await run(['/grow.wasm'], { change: { limits } })
      assert.equal([status.exitCode, stdout, receipt.wasm?.memoryPagesMaximum], [0, 'from a thread\n', 16], stderr)
      const error = await create(['/large.wasm'], { limits }).catch((thrown: EngineError) => thrown)
      assert.is((error as EngineError).code, 'LIMIT_EXCEEDED')
    },
  ),
)

test(
  'a guest whose threads loop is killed as any other, and by the time limit',
  guests({ '/loop.wasm': threaded({ thread: LOOP, start: `${SPAWN} ${SPAWN} ${LOOP}` }) }, async ({ run, create }) => {
    const { status } = await run(['/loop.wasm'], { change: { limits: { timeoutMs: 300 } } })
    assert.is(status.reason, 'timeout')
    const task = await create(['/loop.wasm'])
    await task.start()
    await task.kill('SIGKILL')
    assert.is((await task.wait()).exitCode, 137)
  }),
)

test('what cannot have threads is refused by name', () => {
  const limits = { memoryPages: 16, tableElements: 16 }
  const spawn = '(import "wasi" "thread-spawn" (func (param i32) (result i32)))'
  const memory = (type: string) => `(import "env" "memory" (memory ${type}))`
  const plugin = { isProgram: false, provided: new Set<string>() }
  for (const [text, purpose, message] of [
    [`(module ${spawn} (memory 1))`, undefined, /imports no memory that they could share/],
    [`(module ${memory('1 2')})`, undefined, /imports env\.memory/],
    [`(module ${memory('1 2 shared')} ${spawn})`, plugin, /imports (env\.memory|wasi\.thread-spawn)/],
    ['(module (memory 1 2 shared))', undefined, /shared or 64-bit memory of its own/],
  ] as const)
    assert.throws(
      () => prepareModule(wat(text), limits, purpose),
      (error: EngineError) => error.code === 'COMMAND_NOT_EXECUTABLE' && message.test(error.message),
    )
})

test(
  'a module that asks for threads and has nothing for them to run never starts',
  guests(
    {
      '/guest.wasm': wat(`(module (import "env" "memory" (memory 1 1 shared)) (import "wasi" "thread-spawn" (func (param i32) (result i32)))
        (func (export "_start")))`),
    },
    async ({ create }) => {
      const error = await create(['/guest.wasm']).catch((thrown: EngineError) => thrown)
      assert.match((error as EngineError).message, /exports no wasi_thread_start/)
    },
  ),
)

test.run()
