/** The files of a Wasm container that runs, as cp, export, diff and commit ask for them. */
import { randomBytes } from 'node:crypto'
import { closeSync, mkdtempSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import { EngineError } from '../../src/errors.js'
import { fromUtf8 } from '../../src/fs/names.js'
import { readEntries } from '../../src/layer/entry.js'
import { openFileSource } from '../../src/layer/file-source.js'
import { type PackEntry, packTar } from '../../src/layer/pack.js'
import type { ContainerFiles, TarFileSource } from '../../src/runtime/container-files.js'
import type { CreateRequest } from '../../src/runtime/runtime.js'
import { parseChanges, parseStat } from '../../src/wasm/file-session.js'
import { InputSource } from '../../src/wasm/sandbox/input-source.js'
import { rejection } from '../support/rejection.js'
import { containerSpec, type SpecChange } from '../support/specs.js'
import { suite } from '../support/suite.js'
import { type Files, type WasmWall, withWasmWall } from '../support/wasm-wall.js'

const test = suite('wasm/running-files')

const probe = (...steps: readonly (readonly (string | number)[])[]) => [
  '/probe.wasm',
  ...steps.flatMap((step) => [',', ...step.map(String)]),
]
const ATTRIBUTES = { uid: 0, gid: 0, mtimeNs: 1_700_000_000_000_000_000n, mode: 0o644 } as const

interface Running {
  readonly wall: WasmWall
  readonly files: ContainerFiles
  readonly directory: string
  readonly written: () => Promise<readonly string[]>
  readonly end: () => Promise<void>
}

/** A container that has made these files and waits. */
function withRunning(
  steps: readonly (readonly (string | number)[])[],
  body: (running: Running) => Promise<void>,
  { files = {}, change = {}, request = {} }: { files?: Files; change?: SpecChange; request?: Partial<CreateRequest> } = {},
): () => Promise<void> {
  return () =>
    withWasmWall({ '/etc/there': 'image', '/etc/other': 'image', ...files }, async (wall) => {
      const directory = mkdtempSync(join(wall.folder, 'running-'))
      const args = probe(...steps, ['print', 'ready'], ['echo'])
      const spec = containerSpec({ ...change, process: { args, ...change.process } })
      const task = await wall.create(args, change, { directory, ...request })
      let said = ''
      task.stdout.on('data', (chunk) => {
        said += chunk
      })
      await task.start()
      while (!said.includes('ready')) await sleep(10)
      const written = async () => {
        const layer = await wall.runtime.written(directory, spec, wall.rootfs)
        return (layer?.changes ?? []).map(({ kind, path }) => `${kind} ${path}`)
      }
      const end = async () => {
        task.stdin?.end()
        assert.is((await task.wait()).exitCode, 0)
        await task.delete()
      }
      const temporaryPath = () => join(wall.folder, randomBytes(8).toString('hex'))
      const files = wall.runtime.files({ id: 'x', directory, spec, rootfs: wall.rootfs, temporaryPath })
      await body({ wall, files, directory, written, end })
    })
}

/** Names in a tar, with the contents of its files. */
async function unpacked(wall: WasmWall, tar: AsyncIterable<Uint8Array>): Promise<Record<string, string>> {
  const path = join(wall.folder, randomBytes(8).toString('hex'))
  const pieces: Uint8Array[] = []
  for await (const piece of tar) pieces.push(piece)
  writeFileSync(path, Buffer.concat(pieces))
  const source = openFileSource(path)
  const found: Record<string, string> = {}
  for (const entry of readEntries(source, { fileBytes: 1 << 30 })) {
    const content = Buffer.alloc(entry.size)
    for (const { position, offset, length } of entry.segments) source.read(content.subarray(position, position + length), offset)
    found[entry.name] = entry.type === 'file' ? content.toString('latin1') : entry.type === 'symlink' ? `-> ${entry.target}` : entry.type
  }
  source.close()
  return found
}

/** A tar in a file, as the caller of `write` has it. */
function spooled(
  wall: WasmWall,
  entries: readonly (Partial<PackEntry> & { readonly path: string; readonly content?: Uint8Array })[],
): TarFileSource {
  const path = join(wall.folder, randomBytes(8).toString('hex'))
  const packed = entries.map(({ content = new Uint8Array(), ...entry }): PackEntry => {
    const read = (buffer: Uint8Array, position: number) => {
      const part = content.subarray(position, position + buffer.length)
      buffer.set(part)
      return part.length
    }
    return { ...ATTRIBUTES, type: 'file', contents: { size: content.length, read }, ...entry, path: fromUtf8(entry.path) }
  })
  writeFileSync(path, Buffer.concat([...packTar(packed)]))
  const descriptor = openSync(path, 'r')
  return { ...openFileSource(descriptor), descriptor, close: () => closeSync(descriptor) }
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => null,
    (reason: unknown) => reason,
  )
  return error instanceof EngineError ? error.code : String(error)
}

test(
  'what stands at a path is told, a symlink itself, and null where there is nothing',
  withRunning(
    [
      ['write', '/note', 'text'],
      ['symlink', '/note', '/link'],
      ['mkdir', '/folder'],
    ],
    async ({ files }) => {
      const note = await files.stat('/note')
      assert.equal([note?.type, note?.size, note?.target], ['file', 4, ''])
      assert.ok(Math.abs(Number((note?.mtimeNs ?? 0n) / 1_000_000n) - Date.now()) < 60_000)
      const link = await files.stat('/link')
      assert.equal([link?.type, link?.target], ['symlink', '/note'])
      assert.is((await files.stat('/folder/.'))?.type, 'directory')
      assert.is(await files.stat('/note/.'), null)
      assert.is(await files.stat('/nothing/at/all'), null)
      assert.is(await files.stat('/dev/null'), null)
    },
  ),
)

test(
  'a folder comes out as it is at that moment, with what is mounted below it',
  withRunning(
    [
      ['mkdir', '/out'],
      ['write', '/out/a', 'of a'],
      ['symlink', '/out/a', '/out/link'],
      ['write', '/tmp/in-memory', 'of tmp'],
    ],
    async ({ wall, files }) => {
      const found = await files.read('/out', 'renamed')
      assert.is(found?.stat.type, 'directory')
      assert.equal(await unpacked(wall, found?.tar ?? none()), {
        'renamed/': 'directory',
        'renamed/a': 'of a',
        'renamed/link': '-> /out/a',
      })
      const root = await files.read('/', '.')
      const names = await unpacked(wall, root?.tar ?? none())
      assert.is(names['./tmp/in-memory'], 'of tmp')
      assert.is(names['./etc/there'], 'image')
      assert.not.ok('./dev/null' in names)
      assert.is(await files.read('/nothing', 'x'), null)
      const exported = await unpacked(wall, files.readRoot())
      assert.is(exported['out/a'], 'of a')
      assert.not.ok('tmp/in-memory' in exported)
    },
    { change: { mounts: [{ type: 'tmpfs', destination: '/tmp', readonly: false }] } },
  ),
)

async function* none(): AsyncGenerator<Uint8Array> {}

test(
  'what comes in is seen by the program that runs, and kept with what it has written',
  withRunning(
    [['mkdir', '/in']],
    async ({ wall, files, written, end, directory }) => {
      const big = randomBytes(3_000_000)
      const tar = spooled(wall, [
        { path: 'folder', type: 'directory', mode: 0o755 },
        { path: 'folder/big', content: big },
        { path: 'folder/small', content: Buffer.from('small'), uid: 7, mode: 0o600 },
        { path: 'link', type: 'symlink', target: 'folder/small' },
      ])
      await files.write('/in', tar)
      const stat = await files.stat('/in/folder/small')
      assert.equal([stat?.size, stat?.uid, stat?.mode, stat?.mtimeNs], [5, 7, 0o600, ATTRIBUTES.mtimeNs])
      const found = await unpacked(wall, (await files.read('/in/folder/big', 'big'))?.tar ?? none())
      assert.ok(found.big === big.toString('latin1'))
      assert.ok((await written()).includes('added in/folder/big'))
      await end()
      assert.ok(readFileSync(join(directory, 'wasm/upper-1.tar')).includes(big))
    },
    { change: { ephemeral: false } },
  ),
)

test(
  'what cannot come in is refused as it is behind the other wall, and what cannot be kept too',
  withRunning(
    [
      ['write', '/file', 'x'],
      ['mkdir', '/folder'],
    ],
    async ({ wall, files }) => {
      const one = (path: string) => spooled(wall, [{ path, content: Buffer.from('x') }])
      assert.is(await codeOf(files.write('/nowhere', one('x'))), 'INVALID_ARGUMENT')
      assert.is(await codeOf(files.write('/file', one('x'))), 'INVALID_ARGUMENT')
      assert.is(await codeOf(files.write('/', one('folder'))), 'INVALID_ARGUMENT')
      assert.is(await codeOf(files.write('/', one('../x'))), 'UNSAFE_PATH')
      assert.is(await codeOf(files.write('/', one('folder/.wh.x'))), 'UNSAFE_PATH')
      await files.write('/', one('still'))
      assert.is((await files.stat('/still'))?.size, 1)
    },
  ),
)

test(
  'more than there is room for is refused in the middle, and the container goes on',
  withRunning(
    [['write', '/file', 'x']],
    async ({ wall, files, end }) => {
      const tar = spooled(wall, [{ path: 'large', content: Buffer.alloc(6 << 20, 7) }])
      assert.is(await codeOf(files.write('/', tar)), 'INVALID_ARGUMENT')
      assert.is((await files.stat('/file'))?.size, 1)
      await end()
    },
    { change: { limits: { diskBytes: 2 << 20 } } },
  ),
)

test(
  'what it has written over its image is told while it runs, and what an earlier run has left with it',
  withRunning(
    [
      ['write', '/first', 'x'],
      ['unlink', '/etc/other'],
      ['write', '/etc/there', 'changed'],
    ],
    async ({ wall, files, written, end, directory }) => {
      const first = ['modified etc', 'deleted etc/other', 'modified etc/there', 'added first']
      assert.equal(await written(), first)
      assert.equal(Object.keys(await unpacked(wall, files.readLayer())).sort(), ['./', 'etc/', 'etc/.wh.other', 'etc/there', 'first'])
      await end()
      assert.equal(await written(), first)
      const args = probe(['write', '/second', 'y'], ['unlink', '/first'], ['print', 'ready'], ['echo'])
      const change: SpecChange = { ephemeral: false, process: { args } }
      const again = await wall.create(args, change, { directory })
      again.stdout.resume()
      await again.start()
      const now = ['modified etc', 'deleted etc/other', 'modified etc/there', 'added second']
      for (let tries = 0; JSON.stringify(await written()) !== JSON.stringify(now) && tries < 100; tries++) await sleep(20)
      assert.equal(await written(), now)
      const rootfs = wall.rootfs
      const running = wall.runtime.files({ id: 'x', directory, spec: containerSpec(change), rootfs, temporaryPath: () => '/nowhere' })
      assert.equal(Object.keys(await unpacked(wall, running.readLayer())).sort(), ['./', 'etc/', 'etc/.wh.other', 'etc/there', 'second'])
    },
    { change: { ephemeral: false } },
  ),
)

test(
  'who leaves in the middle of a copy leaves nothing behind in the tree',
  withRunning([['fill', '/big', 8 << 20]], async ({ wall, files, directory }) => {
    const pid = (await wall.runtime.open('x', directory))?.pid ?? 0
    const spec = containerSpec()
    const turn = async () => {
      const found = await files.read('/', '.')
      for await (const _piece of found?.tar ?? none()) break
      const process = { ...spec.process, args: probe(['fill', '/big', 8 << 20]) }
      const exec = await wall.runtime.exec({ id: 'x', directory, spec, process, openStdin: false, outlives: false, endRecord: null })
      exec.stdout.resume()
      await exec.start()
      assert.is((await exec.wait()).exitCode, 0)
    }
    for (let count = 0; count < 4; count++) await turn()
    const before = residentBytes(pid)
    for (let count = 0; count < 8; count++) await turn()
    // A copy that was not closed keeps the eight megabytes that the file had.
    assert.ok(residentBytes(pid) - before < 40 << 20, `${residentBytes(pid) - before}`)
  }),
)

function residentBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024
}

test(
  'one that is paused is not waited for',
  withRunning([['write', '/file', 'x']], async ({ wall, files, directory }) => {
    const running = await wall.runtime.open('x', directory)
    process.kill(running?.pid ?? 0, 'SIGSTOP')
    try {
      await sleep(100)
      assert.is(await codeOf(files.stat('/file')), 'CONFLICT')
      assert.is(await wall.runtime.written(directory, containerSpec(), wall.rootfs), null)
    } finally {
      process.kill(running?.pid ?? 0, 'SIGCONT')
    }
  }),
)

test('a stream is a source for who reads on and goes back a little', () => {
  const bytes = randomBytes(500_000)
  let sent = 0
  const input = {
    available: () => ({ bytes: 1, ended: false }),
    read(buffer: Uint8Array) {
      const part = bytes.subarray(sent, sent + Math.min(buffer.length, 7919))
      buffer.set(part)
      sent += part.length
      return part.length
    },
  }
  const source = new InputSource(input, bytes.length)
  const read = (position: number, length: number) => {
    const buffer = Buffer.alloc(length)
    return buffer.subarray(0, source.read(buffer, position))
  }
  assert.ok(read(0, 32_768).equals(bytes.subarray(0, 32_768)))
  assert.ok(read(512, 300_000).equals(bytes.subarray(512, 300_512)))
  assert.ok(read(400_000, 1000).equals(bytes.subarray(400_000, 401_000)))
  assert.ok(read(499_000, 5000).equals(bytes.subarray(499_000)))
  assert.is(read(500_000, 10).length, 0)
  assert.throws(() => read(0, 1), /order/)
  assert.throws(() => new InputSource(input, 10).read(new Uint8Array(10), 0), /ends before/)
})

test('answers of a sandbox that was broken open are read as what they must be', async () => {
  const stat = { type: 'file', mode: 0o100644, uid: 0, gid: 0, size: 1, mtimeNs: '5', target: '' }
  assert.equal(parseStat(JSON.stringify(stat)), { ...stat, mode: 0o644, mtimeNs: 5n })
  assert.is(parseStat('null'), null)
  for (const wrong of [{ type: 'door' }, { size: -1 }, { mtimeNs: '1e9' }, { mtimeNs: 5 }, { target: 'ő' }, { uid: 1.5 }])
    assert.throws(() => parseStat(JSON.stringify({ ...stat, ...wrong })), /no sandbox says/)
  const changes = (...pieces: string[]) => parseChanges(pieces.map((piece) => Buffer.from(piece)))
  const read = { changes: [{ kind: 'added', path: 'a' }], bytes: 7 }
  assert.equal(await changes('["added","a"]\n[7]\n'), read)
  assert.equal(await changes(...'["added","a"]\n[7]\n'), read)
  for (const wrong of [
    '',
    '[7]',
    '["added","a"]\n',
    '["eaten","a"]\n[7]\n',
    '["added",1]\n[7]\n',
    '{}\n[7]\n',
    '[-1]\n',
    '["added","a\\u0000"]\n[1]\n',
    '[7]\n["added","a"]\n',
    '[7]\n[7]\n',
    '["added","a"]\n[7]',
  ])
    await rejection(changes(wrong), 'SANDBOX_FAILED')
})

test('changes without end are given up by their number, their lines and the length of one, before they are held', async () => {
  let taken = 0
  const endless = function* (text: string, at = '') {
    if (at !== '') yield Buffer.from(at)
    for (const piece = Buffer.from(text); ; taken += piece.length) yield piece
  }
  await rejection(parseChanges(endless('["added",""]\n'.repeat(5000))), 'SANDBOX_FAILED')
  assert.ok(taken < 2 ** 25, `${taken} bytes`)
  taken = 0
  for (const text of ['\n'.repeat(65_536), '[7]\n'.repeat(1000), ' '.repeat(1000)])
    await rejection(parseChanges(endless(text, '["added","a"]\n')), 'SANDBOX_FAILED')
  assert.ok(taken < 2 ** 18, `${taken} bytes`)
})

test(
  'many ask at once, again and again, and all are answered',
  withRunning([], async ({ files, end }) => {
    for (let round = 0; round < 12; round++) {
      const stats = await Promise.all(Array.from({ length: 6 }, () => files.stat('/etc/there')))
      assert.equal(
        stats.map((stat) => stat?.type),
        Array.from({ length: 6 }, () => 'file'),
      )
    }
    await end()
  }),
)

test.run()
