/** Further programs in a running Wasm container, beside what every wall must do (`contract/runtime.ts`). */
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { Volume } from 'memfs'
import * as assert from 'uvu/assert'
import { EngineError } from '../../src/errors.js'
import type { ExitStatus } from '../../src/runtime/exit.js'
import type { CreateRequest, ExecRequest, Task } from '../../src/runtime/runtime.js'
import type { ContainerSpec, ProcessSpec } from '../../src/runtime/spec.js'
import { prepareModule } from '../../src/wasm/module.js'
import { NATIVE } from '../support/requirements.js'
import { containerSpec, type SpecChange } from '../support/specs.js'
import { suite } from '../support/suite.js'
import { type Files, type WasmWall, withWasmWall } from '../support/wasm-wall.js'
import { wat } from '../support/wat.js'

const test = suite('wasm/exec')
const native = test.needs(NATIVE)

const probe = (...steps: readonly (readonly (string | number)[])[]) => [
  '/probe.wasm',
  ...steps.flatMap((step) => [',', ...step.map(String)]),
]

interface Running {
  readonly wall: WasmWall
  readonly task: Task
  readonly spec: ContainerSpec
  readonly directory: string
  exec(args: readonly string[], process?: Partial<ProcessSpec>, request?: Partial<ExecRequest>): Promise<Task>
  run(args: readonly string[], process?: Partial<ProcessSpec>): Promise<ExitStatus & { readonly stdout: string; readonly stderr: string }>
}

/** A container whose own program waits for the end of its stdin. */
async function withRunning(
  body: (running: Running) => Promise<void>,
  { files = {}, change = {}, request = {} }: { files?: Files; change?: SpecChange; request?: Partial<CreateRequest> } = {},
): Promise<void> {
  await withWasmWall(files, async (wall) => {
    const directory = mkdtempSync(join(wall.folder, 'running-'))
    const args = probe(['echo'])
    const spec = containerSpec({ ...change, process: { args, ...change.process } })
    const task = await wall.create(args, change, { directory, ...request })
    await task.start()
    const exec: Running['exec'] = (words, process = {}, more = {}) =>
      wall.runtime.exec({
        id: 'x',
        directory,
        spec,
        process: { ...spec.process, args: words, ...process },
        openStdin: false,
        outlives: false,
        endRecord: null,
        ...more,
      })
    const run: Running['run'] = async (words, process) => {
      const one = await exec(words, process)
      const output = Promise.all([text(one.stdout), one.stderr === null ? '' : text(one.stderr)])
      await one.start()
      const status = await one.wait()
      const [stdout, stderr] = await output
      return { ...status, stdout, stderr }
    }
    await body({ wall, task, spec, directory, exec, run })
  })
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => null,
    (reason: unknown) => reason,
  )
  return error instanceof EngineError ? error.code : String(error)
}

/** Its thread reads stdin and writes what it read; then it ends the program. */
const THREADED = wat(`(module
  (import "env" "memory" (memory 1 1 shared))
  (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (data (i32.const 0) "\\80\\00\\00\\00\\04\\00\\00\\00")
  (func (export "wasi_thread_start") (param i32 i32)
    (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 16)))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))
    (call $exit (i32.const 5)))
  (func (export "_start") (drop (call $spawn (i32.const 0))) (loop $again (br $again))))`)

test('a program with threads reads and writes in its own session, and is ended whole', () =>
  withRunning(
    async ({ exec }) => {
      const one = await exec(['/threads.wasm'], {}, { openStdin: true })
      const output = text(one.stdout)
      await one.start()
      one.stdin?.write('four')
      assert.is((await one.wait()).exitCode, 5)
      assert.is(await output, 'four')
      const other = await exec(['/threads.wasm'], {}, { openStdin: true })
      await other.start()
      await other.kill('SIGKILL')
      assert.is((await other.wait()).exitCode, 137)
    },
    { files: { '/threads.wasm': THREADED } },
  ))

test('a program is found along PATH and from the working directory, and a native one is refused by name', () =>
  withRunning(
    async ({ exec, run }) => {
      const env = ['PATH=/nowhere:/bin']
      assert.is((await run(['tool.wasm', 'print', 'x'], { env })).stdout, 'x\n')
      assert.is((await run(['./tool.wasm', 'print', 'y'], { cwd: '/bin' })).stdout, 'y\n')
      assert.is((await run(['/link', 'print', 'z'])).stdout, 'z\n')
      const error = await exec(['/bin/sh']).catch((reason) => reason)
      assert.is(error.code, 'WRONG_RUNTIME')
      assert.match(error.message, '/bin/sh is a native program (ELF), which the wasm wall cannot run')
      assert.is(await codeOf(exec(['tool.wasm'], { env: [] })), 'COMMAND_NOT_FOUND')
      assert.is(await codeOf(exec(['/bin'])), 'COMMAND_NOT_EXECUTABLE')
      assert.is(await codeOf(exec(['/broken'])), 'COMMAND_NOT_EXECUTABLE')
      assert.is(await codeOf(exec(probe(['print', 'x']), { cwd: '/nowhere' })), 'INVALID_ARGUMENT')
    },
    {
      files: {
        '/bin/tool.wasm': readFileSync('dist/wasm/probe.wasm'),
        '/link': { target: '/bin/tool.wasm' },
        '/bin/sh': '\x7fELF and so on',
        '/broken': '\0asm\x01\0\0\0broken',
      },
    },
  ))

test('its user is its own, and so are its rights', () =>
  withRunning(async ({ run }) => {
    assert.is((await run(probe(['write', '/root-file', 'x']))).stdout, '')
    const other = { user: { uid: 1000, gid: 1000, additionalGids: [] } }
    assert.is((await run(probe(['append', '/root-file', 'x']), other)).stdout, '/root-file: EACCES\n')
    assert.is((await run(probe(['write', '/new', 'x']), other)).stdout, '/new: EACCES\n')
  }))

test('it sees the tmpfs, the folder of the host and the object that its container has mounted', async () => {
  const volume = Volume.fromJSON({ '/there': 'object' })
  await withWasmWall({}, async ({ folder: bound }) => {
    writeFileSync(join(bound, 'there'), 'host')
    await withRunning(
      async ({ run, exec }) => {
        assert.is((await run(probe(['cat', '/work/there'], ['cat', '/host/there']))).stdout, 'objecthost')
        await run(probe(['write', '/tmp/one', 'in memory'], ['write', '/work/new', 'x'], ['write', '/host/new', 'y']))
        assert.is((await run(probe(['cat', '/tmp/one'], ['size', '/dev/null']))).stdout, 'in memory0\n')
        assert.is(volume.readFileSync('/new', 'utf8'), 'x')
        assert.is(readFileSync(join(bound, 'new'), 'utf8'), 'y')
        // Ended while it asks the supervisor again and again, it leaves the socket to the others.
        const steps = Array.from({ length: 1000 }, (_, place) => ['write', `/work/${place % 9}`, 'x'])
        for (let turn = 0; turn < 5; turn++) {
          const victim = await exec(probe(...steps))
          await victim.start()
          await sleep(10 + 3 * turn)
          await victim.kill('SIGKILL')
          assert.is((await victim.wait()).exitCode, 137)
        }
        assert.is((await run(probe(['cat', '/work/there']))).stdout, 'object')
      },
      {
        change: {
          mounts: [
            { type: 'fs', source: '/', destination: '/work', readonly: false, sizeBytes: 1 << 20 },
            { type: 'bind', source: bound, destination: '/host', readonly: false },
            { type: 'tmpfs', destination: '/tmp', readonly: false },
          ],
        },
        request: { objects: new Map([['/work', volume]]) },
      },
    )
  })
})

test('two that append to one file at once lose nothing', () =>
  withRunning(async ({ run }) => {
    const lines = (word: string) => probe(...Array.from({ length: 300 }, () => ['append', '/log', word]))
    await Promise.all([run(lines('aaaa')), run(lines('bbbb')), run(lines('cccc'))])
    const { stdout } = await run(probe(['cat', '/log']))
    assert.is(stdout.length, 3 * 300 * 4)
    for (const word of ['aaaa', 'bbbb', 'cccc']) assert.is(stdout.match(new RegExp(word, 'g'))?.length, 300)
  }))

test('one that is killed anywhere leaves the tree whole, and the others their turn', () =>
  withRunning(async ({ exec, run }) => {
    const steps = Array.from({ length: 500 }, (_, place) => [
      ['write', `/work-${place % 7}`, 'x'.repeat(900)],
      ['rename', `/work-${place % 7}`, `/moved-${place % 5}`],
      ['mkdir', `/folder-${place}`],
      ['rmdir', `/folder-${place}`],
    ]).flat()
    for (let turn = 0; turn < 12; turn++) {
      const victims = await Promise.all([exec(probe(...steps)), exec(probe(...steps))])
      for (const victim of victims) {
        victim.stdout.resume()
        victim.stderr?.resume()
      }
      await Promise.all(victims.map((victim) => victim.start()))
      await sleep(turn * 3)
      await victims[0]?.kill('SIGKILL')
      assert.is((await victims[0]?.wait())?.exitCode, 137)
      await victims[1]?.delete()
    }
    const { stdout, exitCode } = await run(probe(['write', '/after', 'fine'], ['cat', '/after'], ['walk', '/']))
    assert.is(exitCode, 0)
    assert.match(stdout, /^fine/)
  }))

test('what one that was killed had open and removed is given back', () =>
  withRunning(
    async ({ exec, run }) => {
      // Opens files of a megabyte, removes their names and waits: with a disk of four, the second could not.
      for (let turn = 0; turn < 4; turn++) {
        const victim = await exec(['/hoarder.wasm'])
        let said = ''
        victim.stdout.on('data', (chunk) => {
          said += chunk
        })
        await victim.start()
        while (said !== 'held') await sleep(10)
        await victim.kill('SIGKILL')
        await victim.wait()
      }
      assert.is((await run(probe(['fill', '/big', 3_000_000]))).stdout, 'written 3014656\n')
    },
    { files: { '/hoarder.wasm': HOARDER }, change: { limits: { diskBytes: 4 << 20 } } },
  ))

/** Writes three megabytes to a file, removes its name, says so and loops with the file open. */
const HOARDER = wat(`(module
  (import "wasi_snapshot_preview1" "path_open" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_unlink_file" (func $unlink (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 64) (data (i32.const 0) "hoardheld")
  (func (export "_start")
    (if (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 5) (i32.const 1) (i64.const 0x40) (i64.const 0) (i32.const 0)
      (i32.const 32)) (then (call $exit (i32.const 91))))
    (i32.store (i32.const 40) (i32.const 65536)) (i32.store (i32.const 44) (i32.const 3000000))
    (if (call $write (i32.load (i32.const 32)) (i32.const 40) (i32.const 1) (i32.const 48)) (then (call $exit (i32.const 92))))
    (if (call $unlink (i32.const 3) (i32.const 0) (i32.const 5)) (then (call $exit (i32.const 93))))
    (i32.store (i32.const 40) (i32.const 5)) (i32.store (i32.const 44) (i32.const 4))
    (drop (call $write (i32.const 1) (i32.const 40) (i32.const 1) (i32.const 48)))
    (loop $on (br $on))))`)

test('64 run at once, one more is refused, and when they have ended there is room again', () =>
  withRunning(async ({ exec, run }) => {
    const tasks = await Promise.all(Array.from({ length: 64 }, () => exec(probe(['echo'], ['print', 'end']), {}, { openStdin: true })))
    const outputs = tasks.map(({ stdout }) => text(stdout))
    await Promise.all(tasks.map((task) => task.start()))
    assert.is(await codeOf(exec(probe(['print', 'x']))), 'LIMIT_EXCEEDED')
    for (const [place, task] of tasks.entries()) task.stdin?.end(`${place}\n`)
    for (const [place, output] of outputs.entries()) assert.is(await output, `${place}\nend\n`)
    for (const task of tasks) assert.is((await task.wait()).exitCode, 0)
    assert.is((await run(probe(['print', 'room']))).stdout, 'room\n')
  }))

test('a module that must be spared the optimising compiler runs beside one that is given to it', () =>
  withRunning(
    async ({ run, task }) => {
      assert.is(prepareModule(COSTLY, { memoryPages: 1, tableElements: 1 }).compiler, 'baseline')
      assert.is((await run(['/costly.wasm'])).exitCode, 7)
      assert.is((await run(probe(['print', 'and the first again']))).stdout, 'and the first again\n')
      task.stdin?.end('still')
      assert.is((await task.wait()).exitCode, 0)
    },
    { files: { '/costly.wasm': COSTLY } },
  ))

/** Nested blocks over many locals: too costly for the optimising compiler. */
const COSTLY = wat(`(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (func (export "_start") ${Array.from({ length: 2000 }, (_, place) => `(local $l${place} i32)`).join(' ')}
    ${Array.from({ length: 2000 }, (_, place) => `(local.set $l${place} (i32.const ${place}))`).join(' ')}
    ${Array.from({ length: 900 }, (_, place) => `(block $b${place} (br_if $b${place} (local.get $l${place})) (local.set $l${place} (i32.const 1)))`).join(' ')}
    (call $exit (i32.const 7))))`)

native('pausing the container pauses it, and letting that go on lets it go on', () =>
  withRunning(async ({ task, exec }) => {
    const ticking = await exec(
      probe(
        ...Array.from({ length: 400 }, () => [
          ['print', 't'],
          ['sleep', 10],
        ]).flat(),
      ),
    )
    let heard = ''
    ticking.stdout.on('data', (chunk) => {
      heard += chunk
    })
    await ticking.start()
    while (heard === '') await sleep(10)
    await task.pause()
    // What it said before may still be on its way.
    let before = ''
    for (; before !== heard; await sleep(100)) before = heard
    await sleep(200)
    assert.is(heard, before)
    await task.resume()
    while (heard === before) await sleep(10)
  }),
)

test('with a terminal it is told so, gets whole lines that are echoed, and ^C ends it', () =>
  withRunning(async ({ exec }) => {
    const task = await exec(probe(['echo']), { terminal: true }, { openStdin: true })
    let screen = ''
    task.stdout.on('data', (chunk) => {
      screen += chunk
    })
    assert.is(task.stderr, null)
    await task.start()
    task.stdin?.write('helo')
    while (screen !== 'helo') await sleep(10)
    task.stdin?.write('\x7flo\r')
    while (!screen.endsWith('hello\r\n')) await sleep(10)
    assert.is(screen, 'helo\b \blo\r\nhello\r\n')
    await task.resize({ rows: 10, columns: 20 })
    task.stdin?.write('more\x03')
    const { exitCode, signal } = await task.wait()
    assert.equal([exitCode, signal], [130, 'SIGINT'])
    const ending = await exec(probe(['echo'], ['print', 'end']), { terminal: true }, { openStdin: true })
    const said = text(ending.stdout)
    await ending.start()
    ending.stdin?.write('\x04')
    assert.is((await ending.wait()).exitCode, 0)
    assert.is(await said, 'end\r\n')
  }))

test('one that ends before it could be left is no error', () =>
  withRunning(async ({ exec }) => {
    for (let turn = 0; turn < 10; turn++) {
      const task = await exec(probe(['exit', 0]), {}, { outlives: true })
      await task.start()
      if (turn % 2 === 0) await sleep(turn * 5)
      await task.outlive()
    }
  }))

test('one that was made ready when its container ended is told so', () =>
  withRunning(async ({ task, exec }) => {
    const late = await exec(probe(['print', 'x']))
    task.stdin?.end()
    assert.is(await codeOf(task.wait().then(() => late.start())), 'CONFLICT')
    assert.is(await codeOf(exec(probe(['print', 'x']))), 'CONFLICT')
  }))

test('what it has written is kept with what the container’s own program has', () =>
  withRunning(
    async ({ wall, run, exec, task, directory, spec }) => {
      await run(probe(['mkdir', '/made'], ['write', '/made/note', 'by exec']))
      const looping = await exec(probe(['loop']))
      await looping.start()
      task.stdin?.end()
      assert.is((await task.wait()).exitCode, 0)
      assert.is((await looping.wait()).exitCode, 137)
      await task.delete()
      assert.ok(existsSync(join(directory, 'wasm/upper-1.tar')))
      const args = probe(['cat', '/made/note'])
      const again = await wall.create(args, { ...spec, process: { ...spec.process, args } }, { directory })
      const output = text(again.stdout)
      await again.start()
      assert.is((await again.wait()).exitCode, 0)
      assert.is(await output, 'by exec')
    },
    { change: { ephemeral: false } },
  ))

test('a file of the running container is read as it is now, and no more of it than was asked for', () =>
  withRunning(async ({ wall, run, directory, spec }) => {
    await run(probe(['fill', '/big', 196_608], ['write', '/small', 'small']))
    const read = async (path: string, maximum = 1000) => (await wall.runtime.readFile(directory, spec, path, maximum)).toString()
    assert.is(await read('/small'), 'small')
    assert.is(await read('/small', 3), 'sma')
    assert.is((await read('/big', 1 << 20)).length, 196_608)
    for (const path of ['/nothing', '/', '/dev/zero', '/small/x']) assert.is(await read(path), '')
  }))

test.run()
