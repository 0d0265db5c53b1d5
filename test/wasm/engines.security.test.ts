/** What a module must not be able to do, tried against each engine that a module can be linked with (`--wasi-engine`). */
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import type { EngineError } from '../../src/errors.js'
import type { WasiEngine } from '../../src/runtime/spec.js'
import { containerSpec, type SpecChange } from '../support/specs.js'
import { suite } from '../support/suite.js'
import { type Files, type WallResult, type WasmWall, withWasmWall } from '../support/wasm-wall.js'
import { wat } from '../support/wat.js'

const test = suite('wasm/engines.security')
const MIB = 2 ** 20
const THREADED = wat('(module (import "env" "memory" (memory 1 1 shared)) (func (export "_start")))')

type Run = (args: string, change?: SpecChange, stdin?: string) => Promise<WallResult>

const SECRET_LINKS: Files = {
  '/file': 'file',
  '/up': { target: '../../../../etc/hosts' },
  '/absolute': { target: '/etc/hosts' },
  '/magic': { target: '/proc/self/root/etc/hosts' },
}

const BOMBS: Files = {
  '/memory.wasm': wat(`(module (memory (export "memory") 1)
    (func (export "_start") (loop $again
      (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then (unreachable))) (br $again))))`),
  '/table.wasm': wat(`(module (memory (export "memory") 1) (table $t (export "t") 1 externref)
    (func (export "_start") (loop $again
      (if (i32.eq (table.grow $t (ref.null extern) (i32.const 1000)) (i32.const -1)) (then (unreachable))) (br $again))))`),
  '/recursion.wasm': wat('(module (memory (export "memory") 1) (func $deep (export "_start") (call $deep)))'),
  '/output.wasm': wat(`(module (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1) (data (i32.const 0) "\\10\\00\\00\\00\\40\\00\\00\\00")
    (func (export "_start") (loop $again (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))) (br $again))))`),
}

const call = (name: string, parameters: string, args: string): Uint8Array =>
  wat(`(module (import "wasi_snapshot_preview1" "${name}" (func $call (param ${parameters}) (result i32))) (memory (export "memory") 1)
    (data (i32.const 0) "\\ff\\ff\\ff\\ff\\ff\\ff\\ff\\ff")
    (func (export "_start") (drop (call $call ${args}))))`)
const start = (body: string): Uint8Array =>
  wat(`(module (memory (export "memory") 1) (func $first ${body}) (start $first) (func (export "_start")))`)
const STARTS: Files = { '/trap.wasm': start('unreachable'), '/loop.wasm': start('(loop $again (br $again))') }
const FAR = '(i32.const -8)'
const HOSTILE: Files = {
  '/random.wasm': call('random_get', 'i32 i32', `${FAR} (i32.const -1)`),
  '/iovs.wasm': call('fd_write', 'i32 i32 i32 i32', `(i32.const 1) (i32.const 0) (i32.const 1) ${FAR}`),
  '/many.wasm': call('fd_write', 'i32 i32 i32 i32', '(i32.const 1) (i32.const 16) (i32.const 0x7fffffff) (i32.const 0)'),
  '/arguments.wasm': call('args_get', 'i32 i32', `${FAR} ${FAR}`),
  '/path.wasm': call('path_unlink_file', 'i32 i32 i32', `(i32.const 3) ${FAR} (i32.const -1)`),
  '/utf8.wasm': call('path_create_directory', 'i32 i32 i32', '(i32.const 3) (i32.const 0) (i32.const 8)'),
  '/directory.wasm': call('fd_readdir', 'i32 i32 i32 i64 i32', `(i32.const 3) ${FAR} (i32.const -1) (i64.const -1) (i32.const 0)`),
}

for (const engine of ['wolffia', 'wasmer'] as const) {
  const attack = (name: string, files: Files, body: (run: Run, wall: WasmWall) => Promise<void>): void =>
    test(`${engine}: ${name}`, () =>
      withWasmWall(files, (wall) =>
        body((args, change, stdin = '') => wall.run(args.split(' '), { change: { ...change, wasiEngine: engine }, stdin }), wall),
      ))

  attack('the receipt names the engine and its score', {}, async (run) => {
    const { receipt, status } = await run('/probe.wasm exit 3')
    assert.match(receipt.wasm?.engine ?? '', engine === 'wolffia' ? /wolffia preview1 \(72 of 72/ : /@wasmer\/wasi 0\.12\.0 \(43 of 72/)
    assert.is(status.exitCode, 3)
  })

  attack('"..", absolute paths, symlinks, hard links and renames lead nowhere but into the container', SECRET_LINKS, async (run) => {
    const folder = mkdtempSync(join(tmpdir(), 'wolffia-secret-'))
    try {
      writeFileSync(join(folder, 'secret'), 'secret of the host')
      const paths = [
        `${'../'.repeat(20)}${folder.slice(1)}/secret`,
        `${folder}/secret`,
        '/up',
        '/absolute',
        '/proc',
        '/magic',
        '/etc/hosts',
      ]
      for (const path of paths) {
        const { stdout, stderr } = await run(`/probe.wasm cat ${path}`)
        assert.not.match(`${stdout}${stderr}`, /secret of the host|127\.0\.0\.1/, path)
      }
      const commands = `link /probe.wasm ${folder}/twin , rename /file ${folder}/moved , mkdir ${folder}/made , symlink ${folder} /way , write /way/new x`
      await run(`/probe.wasm ${commands}`)
      assert.equal(readNames(folder), ['secret'])
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  attack('environment and arguments are the container’s, and no clock is finer than a microsecond', {}, async (run) => {
    const { stdout } = await run('/probe.wasm env , args a b , clock', { process: { env: ['ONLY=this'] } })
    const lines = stdout.trim().split('\n')
    assert.equal(lines.slice(0, 3), ['ONLY=this', 'a', 'b'])
    const [realtime = '', monotonic = ''] = (lines[3] ?? '').split(' ')
    assert.match(realtime, /000$/)
    assert.match(monotonic, /000$/)
    assert.ok(Number(monotonic) < 60e9)
  })

  attack('memory, tables, recursion and output end at their limits', BOMBS, async (run) => {
    const limits = { memoryBytes: 8 * MIB, tableElements: 100_000, outputBytes: 10_001 }
    assert.is((await run('/memory.wasm', { limits })).status.reason, 'out-of-memory')
    assert.is((await run('/table.wasm', { limits })).status.reason, 'limit')
    const recursion = await run('/recursion.wasm', { limits })
    assert.equal([recursion.status.exitCode, recursion.status.reason], [134, 'signaled'])
    const output = await run('/output.wasm', { limits })
    assert.equal([output.status.reason, output.stdout.length], ['limit', 10_001])
  })

  attack('descriptors and disk end at their limits', {}, async (run) => {
    const descriptors = await run('/probe.wasm open-many /probe.wasm 0', { limits: { openFiles: 50 } })
    assert.match(descriptors.stdout, /EMFILE|opened (4|5)\d\n/)
    const disk = await run('/probe.wasm write /kept kept , fill /bomb 0 , cat /kept', { limits: { diskBytes: 2 * MIB } })
    assert.match(disk.stdout, /ENOSPC\nwritten (19|20)\d{5}\nkept$/)
  })

  attack('a loop and a sleep without end are killed in time', {}, async (run) => {
    // The other engine reads what to wait for as an older draft had it: a program that sleeps traps.
    for (const command of engine === 'wolffia' ? ['loop', 'sleep 60000'] : ['loop']) {
      const { status } = await run(`/probe.wasm ${command}`, { limits: { timeoutMs: 200 } })
      assert.equal([status.reason, status.exitCode], ['timeout', 137])
    }
  })

  attack('a start function that traps or never ends is the guest’s, and within its limits', STARTS, async (run) => {
    const { status, stderr } = await run('/trap.wasm')
    assert.equal([status.exitCode, status.reason], [134, 'signaled'])
    assert.match(stderr, 'unreachable')
    assert.is((await run('/loop.wasm', { limits: { timeoutMs: 200 } })).status.reason, 'timeout')
  })

  attack('pointers out of range and lengths without end take neither supervisor nor sandbox down', HOSTILE, async (run) => {
    for (const name of Object.keys(HOSTILE)) {
      const { status } = await run(name, { limits: { timeoutMs: 60_000 } })
      assert.ok([0, 134].includes(status.exitCode), `${name}: ${JSON.stringify(status)}`)
    }
  })

  attack('a file named like a whiteout cannot be made', { '/etc/passwd': 'root' }, async (run) => {
    const { stdout } = await run(
      '/probe.wasm write /etc/.wh.passwd x , mkdir /.wh.etc , rename /etc/passwd /etc/.wh.x , symlink .wh.passwd /etc/way , write /etc/way x , cat /etc/.wh.passwd , cat /etc/passwd',
    )
    assert.match(stdout, /\/etc\/\.wh\.passwd: ENOENT\nroot$/)
  })

  attack('a root that is read-only, and files of another user, stay as they are', { '/file': 'kept' }, async (run) => {
    const { stdout } = await run('/probe.wasm write /file x , mkdir /made , cat /file', { readonlyRootfs: true })
    assert.match(stdout, /kept$/)
    const other = await run('/probe.wasm write /file x , cat /file', { process: { user: { uid: 7, gid: 7, additionalGids: [] } } })
    assert.match(other.stdout, /kept$/)
  })
}

function readNames(folder: string): string[] {
  return readdirSync(folder).sort()
}

test('a name of a bind mount that the host swaps for a symlink during each open leads nowhere', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'wolffia-swap-'))
  const data = join(folder, 'data')
  mkdirSync(join(data, 'door'), { recursive: true })
  writeFileSync(join(folder, 'file'), 'OUTSIDE')
  writeFileSync(join(data, 'door/file'), 'inside')
  // Of the program that swaps: the directory stands aside while the symlink has its name.
  const swaps = `const { renameSync, symlinkSync } = require('node:fs'); process.chdir(process.argv[1]); symlinkSync('..', 'other')
    for (;;) { renameSync('door', 'aside'); renameSync('other', 'door'); renameSync('door', 'other'); renameSync('aside', 'door') }`
  const swapper = spawn(process.execPath, ['-e', swaps, data], { stdio: 'ignore' })
  try {
    await withWasmWall({}, async ({ run }) => {
      const mounts = [{ type: 'bind', source: data, destination: '/src', readonly: false }] as const
      const words = Array(400).fill('cat /src/door/file , write /src/door/made x , unlink /src/door/made ,').join(' ').split(' ')
      let all = ''
      // Until both have been seen: the directory, and something else in its place.
      for (let turn = 0; turn < 20 && !(all.includes('inside') && all.includes('ENOENT')); turn++)
        all += (await run(['/probe.wasm', ...words], { change: { mounts } })).stdout
      assert.match(all, 'inside')
      assert.match(all, 'ENOENT')
      assert.not.match(all, 'OUTSIDE')
      assert.equal(readNames(folder), ['data', 'file'])
    })
  } finally {
    swapper.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  }
})

test(`what the engine wasmer has none of is refused by name`, () =>
  withWasmWall({ '/threads.wasm': THREADED }, async ({ create, runtime, folder }) => {
    const wasiEngine: WasiEngine = 'wasmer'
    const mounts = [{ type: 'tmpfs', destination: '/tmp', readonly: false }] as const
    const refused = async (making: Promise<unknown>, message: RegExp) => {
      const error = await making.then(
        () => null,
        (thrown: EngineError) => thrown,
      )
      assert.equal([error?.code, message.test(error?.message ?? '')], ['NOT_BUILT', true], error?.message)
    }
    await refused(create(['/probe.wasm'], { wasiEngine, mounts }), /no mounts \(\/tmp\)/)
    await refused(create(['/threads.wasm'], { wasiEngine }), /threads/)
    const spec = containerSpec({ wasiEngine })
    const process = spec.process
    const request = { id: 'x', directory: folder, spec, process, openStdin: false, outlives: false, endRecord: null }
    await refused(runtime.exec(request), /one program in a container/)
  }))

test.run()
