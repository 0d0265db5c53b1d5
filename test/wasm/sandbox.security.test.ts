/** What a module tries against its sandbox, one attack a test. */
import {
  closeSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { EngineError } from '../../src/errors.js'
import { UnionFs } from '../../src/fs/union-fs.js'
import { delegation } from '../../src/runtime/make-groups.js'
import { preparationMs, within } from '../../src/wasm/preparation.js'
import { writeUpper } from '../../src/wasm/sandbox/upper.js'
import { NATIVE } from '../support/requirements.js'
import { suite } from '../support/suite.js'
import { type Files, type WasmWall, withWasmWall } from '../support/wasm-wall.js'
import { wat } from '../support/wat.js'

const test = suite('wasm/sandbox.security')
const attack = (files: Files, body: (wall: WasmWall) => Promise<void>) => () => withWasmWall(files, body)
const MIB = 1024 * 1024

/** Makes a file of 20 GB without a byte in it; exits with the errno. */
const SPARSE_BOMB = wat(`(module
  (import "wasi_snapshot_preview1" "path_open" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_filestat_set_size" (func $size (param i32 i64) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1) (data (i32.const 0) "bomb")
  (func (export "_start")
    (if (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 4) (i32.const 1) (i64.const 0x400040) (i64.const 0) (i32.const 0)
      (i32.const 8)) (then (call $exit (i32.const 99))))
    (call $exit (call $size (i32.load (i32.const 8)) (i64.const 20000000000)))))`)

/** Bytes on disk below a folder. */
function hostBytes(folder: string): number {
  const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  return paths.reduce((sum, path) => sum + lstatSync(join(folder, path)).blocks * 512, 0)
}

test(
  'memory bomb: memory ends at its limit',
  attack({}, async ({ run }) => {
    const { status, stdout, receipt } = await run(['/probe.wasm', 'memory', '0'], { change: { limits: { memoryBytes: 8 * MIB } } })
    assert.match(stdout, /^pages 1[12]\d/)
    assert.is(status.reason, 'exited')
    assert.is(receipt.wasm?.memoryPagesMaximum, 128)
  }),
)

test(
  'memory bomb: a guest that dies of it ends with reason "out-of-memory"',
  attack(
    {
      '/bomb.wasm': wat(`(module (memory (export "memory") 1)
        (func (export "_start") (loop $again
          (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then (unreachable))) (br $again))))`),
    },
    async ({ run }) => {
      const { status, stderr } = await run(['/bomb.wasm'], { change: { limits: { memoryBytes: 4 * MIB } } })
      assert.equal([status.exitCode, status.reason], [134, 'out-of-memory'])
      assert.match(stderr, 'unreachable')
    },
  ),
)

test(
  'CVE-2023-26489: an address beyond the memory traps, however it is computed',
  attack(
    Object.fromEntries(
      ['(i32.shl (local.get 0) (i32.const 3))', '(i32.add (local.get 0) (i32.const -4))', '(local.get 0)'].map((address, place) => [
        `/out${place}.wasm`,
        wat(`(module (memory (export "memory") 1) (func $read (param i32) (result i32) (i32.load offset=0xfffffff0 ${address}))
          (func (export "_start") (drop (call $read (i32.const 0x7ffffff8)))))`),
      ]),
    ),
    async ({ run }) => {
      for (const place of [0, 1, 2]) {
        const { status, stderr } = await run([`/out${place}.wasm`])
        assert.is(status.exitCode, 134)
        assert.match(stderr, 'out of bounds')
      }
    },
  ),
)

test(
  'table bomb: a table ends at its limit and takes nothing down',
  attack(
    {
      '/bomb.wasm': wat(`(module (memory (export "memory") 1) (table $t (export "t") 1 externref)
        (func (export "_start") (loop $again
          (if (i32.eq (table.grow $t (ref.null extern) (i32.const 1000)) (i32.const -1)) (then (unreachable))) (br $again))))`),
    },
    async ({ run }) => {
      const { status, receipt } = await run(['/bomb.wasm'], { change: { limits: { tableElements: 100_000 } } })
      assert.equal([status.exitCode, status.reason], [134, 'limit'])
      assert.is(receipt.wasm?.tableElementsMaximum, 100_000)
      assert.is((await run(['/bomb.wasm'])).status.exitCode, 134)
    },
  ),
)

test(
  'recursion without end: a trap, not a crash',
  attack({}, async ({ run }) => {
    const { status, stderr } = await run(['/probe.wasm', 'recurse'])
    assert.equal([status.exitCode, status.signal, status.reason], [134, 'SIGABRT', 'signaled'])
    assert.match(stderr, 'call stack exhausted')
  }),
)

test(
  'output bomb: killed at the limit, and no byte more comes out',
  attack({}, async ({ run }) => {
    const { status, stdout } = await run(['/probe.wasm', 'output', '0'], { change: { limits: { outputBytes: 100_001 } } })
    assert.equal([status.reason, stdout.length], ['limit', 100_001])
  }),
)

test(
  'time bomb: killed at the limit, in a loop as in a sleep',
  attack({}, async ({ run, create }) => {
    for (const command of [['loop'], ['sleep', '60000']]) {
      const { status } = await run(['/probe.wasm', ...command], { change: { limits: { timeoutMs: 150 } } })
      assert.equal([status.reason, status.exitCode], ['timeout', 137])
    }
    // Blocked on a stdin that never comes.
    const waiting = await create(['/probe.wasm', 'echo'], { limits: { timeoutMs: 150 } })
    await waiting.start()
    assert.is((await waiting.wait()).reason, 'timeout')
  }),
)

test('module bomb: a module that is never ready is given up', async () => {
  for (const [timeoutMs, limitMs] of [
    [null, 60_000],
    [1, 10_000],
    [20_000, 20_000],
    [2 ** 40, 60_000],
  ] as const)
    assert.is(preparationMs(timeoutMs), limitMs)
  const error = await within(new Promise<never>(() => {}), 20).catch((thrown: EngineError) => thrown)
  assert.is((error as EngineError).code, 'LIMIT_EXCEEDED')
  assert.is(await within(Promise.resolve(1), 20), 1)
})

test(
  'module bomb: a file of gigabytes is refused by its size, in the image and in a bind mount',
  attack({}, async ({ create, folder }) => {
    const host = join(folder, 'host')
    mkdirSync(host)
    writeFileSync(join(host, 'bomb.wasm'), Buffer.from('\0asm\x01\0\0\0'))
    truncateSync(join(host, 'bomb.wasm'), 4 * 2 ** 30)
    const mounts = [{ type: 'bind', source: host, destination: '/host', readonly: true }] as const
    const error = await create(['/host/bomb.wasm'], { mounts }).catch((thrown: EngineError) => thrown)
    assert.match((error as EngineError).message, /4294967296 bytes; a module has at most 268435456/)
    assert.is((error as EngineError).code, 'LIMIT_EXCEEDED')
  }),
)

test(
  'a time limit of more than a timer can hold is not one that has passed',
  attack({}, async ({ run }) => {
    for (const timeoutMs of [2 ** 31, 2 ** 40]) {
      const { status } = await run(['/probe.wasm', 'sleep', '50', ',', 'exit', '3'], { change: { limits: { timeoutMs } } })
      assert.equal([status.reason, status.exitCode], ['exited', 3])
    }
  }),
)

test(
  'descriptor bomb: EMFILE at the limit',
  attack({}, async ({ run }) => {
    const { stdout } = await run(['/probe.wasm', 'open-many', '/probe.wasm', '0'], { change: { limits: { openFiles: 50 } } })
    assert.is(stdout, '/probe.wasm: EMFILE\nopened 46\n')
  }),
)

test(
  'disk bomb: ENOSPC at the limit, and what is there stays',
  attack({}, async ({ run }) => {
    const { stdout } = await run(['/probe.wasm', 'write', '/kept', 'kept', ',', 'fill', '/bomb', '0', ',', 'cat', '/kept'], {
      change: { limits: { diskBytes: 2 * MIB } },
    })
    assert.match(stdout, /^\/bomb: ENOSPC\nwritten (19|20)\d{5}\nkept$/)
  }),
)

test(
  'disk bomb: a file of holes leaves no zeros on the host, at exit as little as before',
  attack({ '/bomb.wasm': SPARSE_BOMB }, async ({ create, folder }) => {
    const limits = { diskBytes: MIB }
    const task = await create(['/bomb.wasm'], { ephemeral: false, limits })
    await task.start()
    assert.equal([(await task.wait()).exitCode, hostBytes(folder) < 2 * MIB], [0, true])
  }),
)

test(
  'a file named like a whiteout cannot be made, and takes neither exit code nor files away',
  attack({ '/etc/passwd': 'root' }, async ({ run }) => {
    const commands = 'write /etc/.wh.passwd x , mkdir /.wh.etc , rename /etc/passwd /etc/.wh.x , link /etc/passwd /.wh..wh..opq , exit 3'
    const { stdout, status } = await run(['/probe.wasm', ...commands.split(' ')])
    assert.is(status.exitCode, 3)
    assert.is(stdout, '/etc/.wh.passwd: EPERM\n/.wh.etc: EPERM\n/etc/passwd: EPERM\n/etc/passwd: EPERM\n')
    const mounts = [{ type: 'tmpfs', destination: '/tmp', readonly: false }] as const
    const other = await run(['/probe.wasm', ...'write /tmp/.wh.a x , cat /tmp/.wh.a'.split(' ')], { change: { mounts } })
    assert.is(other.stdout, 'x')
  }),
)

test(
  'disk bomb: what is no layer at the end is removed, whatever the end was',
  attack({}, async ({ create, folder }) => {
    const timed = await create(['/probe.wasm', 'write', '/a', 'b', ',', 'loop'], { ephemeral: false, limits: { timeoutMs: 100 } })
    await timed.start()
    assert.is((await timed.wait()).reason, 'timeout')
    const killed = await create(['/probe.wasm', 'loop'], { ephemeral: false })
    await killed.start()
    await killed.kill('SIGKILL')
    await killed.wait()
    await create(['/nothing'], { ephemeral: false }).catch(() => {})
    await create(['/text'], { ephemeral: false }).catch(() => {})
    assert.equal(
      readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) => path.includes('upper')),
      [],
    )
  }),
)

test('disk bomb: an upper is written up to its limit only', () => {
  const folder = mkdtempSync(join(tmpdir(), 'wolffia-upper-'))
  const descriptor = openSync(join(folder, 'upper'), 'w')
  try {
    const union = new UnionFs({ lowers: [] })
    for (let count = 0; count < 100; count++) union.create(union.root, `f${count}`, { type: 'file', mode: 0o644, uid: 0, gid: 0 })
    assert.throws(() => writeUpper(union, descriptor, 10_000), /more than 10000 bytes/)
    assert.ok(fstatSync(descriptor).size <= 10_000)
    writeUpper(union, descriptor, 200 * 1024)
  } finally {
    closeSync(descriptor)
    rmSync(folder, { recursive: true, force: true })
  }
})

test(
  'a closed stdout ends in EPIPE, not in a hang',
  attack({}, async ({ create }) => {
    // More than the pipes on the way hold: whoever waits for a reader waits for ever.
    const task = await create(['/probe.wasm', 'output', String(4 * MIB)], { limits: { timeoutMs: 10_000 } })
    task.stdout.destroy()
    await task.start()
    assert.is((await task.wait()).reason, 'exited')
  }),
)

test(
  'a guest that says it has exited or prints a receipt changes neither',
  attack({}, async ({ run }) => {
    const { status, receipt } = await run(['/probe.wasm', 'lie', ',', 'exit', '3'])
    assert.is(status.exitCode, 3)
    assert.not.ok('everything' in receipt.crossCheck)
    assert.is(receipt.crossCheck.moduleDigest, true)
  }),
)

test(
  'the environment, the arguments and the clock are the container’s, not the host’s',
  attack({}, async ({ run }) => {
    const { stdout } = await run(['/probe.wasm', 'env', ',', 'args', 'a', 'b', ',', 'clock'], {
      change: { process: { env: ['ONLY=this'] } },
    })
    const lines = stdout.trim().split('\n')
    assert.equal(lines.slice(0, 3), ['ONLY=this', 'a', 'b'])
    const [realtime = '', monotonic = ''] = (lines[3] ?? '').split(' ')
    assert.ok(Math.abs(Number(realtime) / 1e6 - Date.now()) < 60_000)
    // The host's uptime is not told, and nothing is finer than a microsecond.
    assert.ok(Number(monotonic) < 60e9)
    assert.match(realtime, /000$/)
  }),
)

for (const nativeWall of ['never', 'required'] as const) {
  const register = nativeWall === 'never' ? test : test.needs(NATIVE)
  const wall = nativeWall === 'never' ? 'single wall' : 'double wall'

  register(`CVE-2024-38358, ${wall}: a bind mount is read and written, and nothing beside it is reached`, async () => {
    const host = mkdtempSync(join(tmpdir(), 'wolffia-bind-'))
    mkdirSync(join(host, 'shared'))
    writeFileSync(join(host, 'secret'), 'secret')
    writeFileSync(join(host, 'shared/file'), 'shared')
    symlinkSync('../secret', join(host, 'shared/up'))
    symlinkSync(join(host, 'secret'), join(host, 'shared/absolute'))
    symlinkSync('/proc/self/root/etc/passwd', join(host, 'shared/magic'))
    symlinkSync('../new', join(host, 'shared/dangling'))
    const mounts = [{ type: 'bind', source: join(host, 'shared'), destination: '/data', readonly: false }] as const
    const commands = 'cat /data/file , cat /data/up , cat /data/absolute , cat /data/magic , cat /data/../secret , write /data/new text , '
    // To create and to write through a link: inside the container, if anywhere.
    const creating =
      'write /data/up evil , write /data/absolute evil , write /data/dangling evil , symlink ../secret /data/own , write /data/own evil , '
    const more = 'rename /data/new /data/newer , link /data/newer /data/twin , rename /data/file /outside , list /data'
    try {
      await withWasmWall(
        {},
        async ({ run }) => {
          const { stdout } = await run(['/probe.wasm', ...(commands + creating + more).split(' ')], { change: { mounts } })
          for (const line of ['shared/data/up: ENOENT', '/data/absolute: ENOENT', '/data/magic: ENOENT', '/data/file: EXDEV', '4 twin'])
            assert.ok(stdout.includes(`${line}\n`), `${line} is missing in ${stdout}`)
          assert.not.match(stdout, 'secret\n')
          assert.is(readFileSync(join(host, 'secret'), 'utf8'), 'secret')
          assert.equal(readdirSync(host).sort(), ['secret', 'shared'])
          assert.is(readFileSync(join(host, 'shared/newer'), 'utf8'), 'text')
        },
        { nativeWall },
      )
    } finally {
      rmSync(host, { recursive: true, force: true })
    }
  })
}

test(
  'what the wall cannot give is refused by name before anything is made',
  attack({}, async ({ create, folder }) => {
    const file = join(folder, 'file')
    writeFileSync(file, '')
    const bind = (source: string, destination: string) => [{ type: 'bind', source, destination, readonly: false }] as const
    const refused = [
      ['NOT_BUILT', { network: { mode: 'host' } }],
      ...(delegation().has('cpu') ? [] : ([['UNSUPPORTED_BY_HOST', { limits: { cpus: 1 } }]] as const)),
      ['NOT_BUILT', { mounts: bind(file, '/file') }],
      ['INVALID_ARGUMENT', { mounts: bind(folder, '/') }],
      ['INVALID_ARGUMENT', { mounts: bind(folder, '/dev') }],
      ['INVALID_ARGUMENT', { mounts: bind(join(folder, 'missing'), '/data') }],
      ['LIMIT_EXCEEDED', { limits: { memoryBytes: 65_536 } }],
    ] as const
    for (const [code, change] of refused) {
      const error = await create(['/probe.wasm', 'memory', '1'], change).then(
        () => null,
        (each: EngineError) => each,
      )
      assert.is(error?.code, code, JSON.stringify(change))
    }
  }),
)

test(
  'a working directory is made where there is none, by root, and refused by name where there can be none',
  attack({ '/etc/file': 'x', '/leak': { target: '/proc/self/fd/7' }, '/way': { target: 'etc' } }, async ({ run, create }) => {
    const probe = '/probe.wasm'
    const { stdout } = await run([probe, 'write', '/made/for/it/x', 'y', ',', 'preopens', ',', 'list', '/etc'], {
      change: { process: { cwd: '/made/for/it', user: { uid: 7, gid: 7, additionalGids: [] } } },
    })
    assert.is(stdout, '/made/for/it/x: EACCES\n.\n/\n4 file\n')
    assert.match((await run([probe, 'walk', '/etc'], { change: { process: { cwd: '/way/new' } } })).stdout, '/etc/new')
    for (const cwd of ['/etc/file', '/etc/file/below', '/leak', `/${'n'.repeat(300)}`]) {
      const error = await create([probe], { process: { cwd } }).catch((thrown: EngineError) => thrown)
      assert.is((error as EngineError).code, 'INVALID_ARGUMENT', cwd)
      assert.match((error as EngineError).message, /ENOTDIR|ENOENT|ENAMETOOLONG/)
    }
  }),
)

test(
  'a program that is no module, or a library, never starts',
  attack({ '/text': 'text', '/library.wasm': wat('(module (memory (export "memory") 1))') }, async ({ create }) => {
    for (const [path, message] of [
      ['/text', 'not a WebAssembly module'],
      ['/library.wasm', 'no _start'],
    ] as const)
      try {
        await create([path])
        assert.unreachable('it was made')
      } catch (error) {
        assert.instance(error, EngineError)
        assert.is((error as EngineError).code, 'COMMAND_NOT_EXECUTABLE')
        assert.match((error as EngineError).message, message)
      }
  }),
)

test.run()
