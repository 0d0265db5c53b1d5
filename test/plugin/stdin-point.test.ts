/** Programs that are begun once, up to where they first read their stdin, and go on from there in each run. */
import { Volume } from 'memfs'
import * as assert from 'uvu/assert'
import { type ErrorCode, Plugin, type PluginOptions } from '../../src/index.js'
import { withPlugin } from '../support/plugins.js'
import { rejection } from '../support/rejection.js'
import { WASM } from '../support/requirements.js'
import { suite } from '../support/suite.js'
import { asyncified, wat } from '../support/wat.js'

const test = suite('plugin/stdin-point')
const wasm = test.needs(WASM)

/** `before` is done in `_start`; then functions twenty deep read stdin, and what they kept is added up on their way back. */
function program({ before = '', memory = '1', more = '' } = {}): string {
  return `(module
    (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes_get (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
    (import "wasi_snapshot_preview1" "path_open" (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (memory (export "memory") ${memory})
    (global $begun (mut i32) (i32.const 0))
    (func $read (result i32)
      (i32.store (i32.const 16) (i32.const 2000)) (i32.store (i32.const 20) (i32.const 4000))
      (drop (call $fd_read (i32.const 0) (i32.const 16) (i32.const 1) (i32.const 24)))
      (i32.load (i32.const 24)))
    (func $deep (param $depth i32) (result i32) (local $kept i32) (local $count i32)
      (local.set $kept (i32.mul (local.get $depth) (i32.const 3)))
      (local.set $count (if (result i32) (local.get $depth) (then (call $deep (i32.sub (local.get $depth) (i32.const 1)))) (else (call $read))))
      (i32.store (i32.const 1008) (i32.add (i32.load (i32.const 1008)) (local.get $kept)))
      (local.get $count))
    (func $write (param $count i32)
      (i32.store (i32.const 32) (i32.const 1000)) (i32.store (i32.const 36) (i32.const 24))
      (i32.store (i32.const 40) (i32.const 2000)) (i32.store (i32.const 44) (local.get $count))
      (drop (call $fd_write (i32.const 1) (i32.const 32) (i32.const 2) (i32.const 24))))
    (func (export "_start")
      (global.set $begun (i32.add (global.get $begun) (i32.const 1)))
      (i32.store (i32.const 1000) (global.get $begun))
      (drop (call $args_sizes_get (i32.const 1004) (i32.const 1012)))
      (drop (call $random_get (i32.const 1016) (i32.const 8)))
      ${before}
      (call $write (call $deep (i32.const 20)))
      ;; What comes after the first read is the run's own.
      (if (call $read) (then (call $write (i32.const 0)))))
    ${more})`
}

/** What one run of it says. */
function said(stdout: Buffer) {
  const [begun, args, sum] = [0, 4, 8].map((at) => stdout.readUInt32LE(at))
  return { begun, args, sum, random: stdout.toString('hex', 16, 24), input: stdout.toString('utf8', 24) }
}

const READS = asyncified(program())
const UNTIL = { bytes: READS, snapshot: { until: 'stdin' } } as const

wasm('each run goes on where the program first reads its stdin, with a stdin of its own, and what it has seen before is the same', () =>
  withPlugin({ ...UNTIL, threads: 2 }, async (plugin) => {
    const runs = await Promise.all(['one', 'two', ''].map((stdin) => plugin.run(undefined, { stdin })))
    assert.equal(
      runs.map(({ exit }) => exit.exitCode),
      [0, 0, 0],
    )
    const [one, two, three] = runs.map(({ stdout }) => said(stdout))
    assert.equal({ ...one, random: '' }, { begun: 1, args: 1, sum: 630, random: '', input: 'one' })
    assert.equal({ ...two, input: 'one' }, one)
    assert.equal({ ...three, input: 'one' }, one)
    await withPlugin(UNTIL, async (other) => {
      assert.is.not(said((await other.run(undefined, { stdin: '' })).stdout).random, one?.random)
    })
  }),
)

wasm('the same program without it begins anew each time, and is the same to who runs it', () =>
  withPlugin({ bytes: READS }, async (plugin) => {
    const runs = await Promise.all(['one', 'two'].map((stdin) => plugin.run([], { stdin })))
    const [one, two] = runs.map(({ stdout }) => said(stdout))
    assert.equal({ ...one, random: '' }, { begun: 1, args: 1, sum: 630, random: '', input: 'one' })
    assert.is.not(one?.random, two?.random)
  }),
)

wasm('its arguments are given once, when it is begun', () =>
  withPlugin({ bytes: READS, snapshot: { until: 'stdin', args: ['-c', 'x'] } }, async (plugin) => {
    assert.is(said((await plugin.run(undefined, { stdin: '' })).stdout).args, 3)
    assert.match((await rejection(plugin.run(['-v']), 'INVALID_ARGUMENT')).hint ?? '', /snapshot\.args/)
  }),
)

wasm('what was read is read once: more than fits comes with the next read', () =>
  withPlugin(UNTIL, async (plugin) => {
    const { stdout } = await plugin.run(undefined, { stdin: 'x'.repeat(5000) })
    // Its first read takes 4,000 bytes; the second one, which finds the rest, has the head written once more.
    assert.is(stdout.length, 24 + 4000 + 24)
  }),
)

wasm('a run that is over leaves the snapshot to the next, and the fuel of each is counted from there', async () => {
  const bytes = asyncified(program({ before: '(if (i32.load (i32.const 3000)) (then (unreachable)))' }))
  await withPlugin({ bytes, snapshot: { until: 'stdin' }, limits: { fuel: 100_000 } }, async (plugin) => {
    const [one, two] = [await plugin.run(undefined, { stdin: 'a' }), await plugin.run(undefined, { stdin: 'a' })]
    assert.is(one.exit.reason, 'exited')
    assert.ok((one.exit.fuelLeft ?? 0) > 90_000)
    assert.is(one.exit.fuelLeft, two.exit.fuelLeft)
  })
})

const refused = async (code: ErrorCode, text: string | Uint8Array, options: Partial<PluginOptions> = {}) => {
  const bytes = typeof text === 'string' ? asyncified(text) : text
  const { message, hint } = await rejection(Plugin.load({ bytes, snapshot: { until: 'stdin' }, ...options } as PluginOptions), code)
  return `${message} ${hint ?? ''}`
}

wasm('a module that is not ready for it is told which command makes it so, and what does not go together is named', async () => {
  assert.match(await refused('INVALID_ARGUMENT', wat(program())), /asyncify_start_unwind.*wasm-opt --asyncify/)
  assert.match(await refused('INVALID_ARGUMENT', wat('(module (func (export "f")))')), /no function _start/)
  assert.match(await refused('INVALID_ARGUMENT', READS, { snapshot: { until: 'stdin', init: '_start' } }), /init and snapshot\.until/)
  assert.match(await refused('INVALID_ARGUMENT', READS, { snapshot: { args: ['x'] } }), /until: 'stdin'/)
  assert.match(await refused('INVALID_ARGUMENT', READS, { snapshot: { until: 'stdout' as 'stdin' } }), /only stdin/)
})

wasm('a program that ends, writes, opens a file or goes on for ever before it reads has no snapshot, with the reason', async () => {
  assert.match(await refused('GUEST_TRAPPED', program({ before: '(call $proc_exit (i32.const 3))' })), /exit code 3 before it read/)
  assert.match(await refused('GUEST_TRAPPED', program({ before: '(return)' })), /exit code 0 before it read/)
  assert.match(await refused('GUEST_TRAPPED', program({ before: '(unreachable)' })), /unreachable/)
  assert.match(await refused('NOT_BUILT', program({ before: '(call $write (i32.const 0))' })), /writes to its stdout before/)
  const opens = `(i32.store8 (i32.const 100) (i32.const 46))
    (drop (call $path_open (i32.const 3) (i32.const 0) (i32.const 100) (i32.const 1) (i32.const 2) (i64.const 0) (i64.const 0) (i32.const 0) (i32.const 4)))`
  assert.match(await refused('NOT_BUILT', program({ before: opens }), { mounts: { '/w': new Volume() } }), /files open/)
  const loop = { snapshot: { until: 'stdin', timeoutMs: 300 } } as const
  assert.match(await refused('DEADLINE_EXCEEDED', program({ before: '(loop $again (br $again))' }), loop), /300 ms/)
  assert.match(await refused('NOT_BUILT', program({ memory: '1 2' })), /no room for its frames/)
})

wasm('a module that only says it is ready is run as what it is, within its limits', async () => {
  const lies = (body: string) =>
    wat(
      program({
        more: `(func (export "asyncify_start_unwind") (param i32) ${body}) (func (export "asyncify_stop_unwind"))
          (func (export "asyncify_start_rewind") (param i32) ${body}) (func (export "asyncify_stop_rewind"))`,
      }),
    )
  // It goes on as if it had read nothing.
  assert.match(await refused('NOT_BUILT', lies('')), /writes to its stdout before/)
  assert.match(await refused('GUEST_TRAPPED', lies('(unreachable)')), /unreachable/)
  const loops = { snapshot: { until: 'stdin', timeoutMs: 300 } } as const
  assert.match(await refused('DEADLINE_EXCEEDED', lies('(loop $again (br $again))'), loops), /300 ms/)
})

wasm('it is no module that could be given away', () =>
  withPlugin(UNTIL, async (plugin) => {
    await rejection(plugin.snapshotModule(), 'NOT_BUILT')
  }),
)

test.run()
