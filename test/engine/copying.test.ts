/** Files out of containers and into them through the library, behind both walls. What docker's users type is e2e/docker-copying. */
import { execFileSync } from 'node:child_process'
import { chmodSync, lstatSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { gzipSync } from 'node:zlib'
import * as assert from 'uvu/assert'
import type { Container } from '../../src/container/container.js'
import type { CreateOptions } from '../../src/container/options.js'
import { Engine } from '../../src/engine/engine.js'
import { placeFor } from '../../src/engine/host-copy.js'
import { EngineError } from '../../src/errors.js'
import { fromUtf8 } from '../../src/fs/names.js'
import { readEntries } from '../../src/layer/entry.js'
import { type PackEntry, packTar } from '../../src/layer/pack.js'
import { bytesSource } from '../../src/layer/source.js'
import { CommandLine } from '../support/command-line.js'
import { assertRejects } from '../support/image-fixtures.js'
import { BUSYBOX, NATIVE, WASM } from '../support/requirements.js'
import { packEntry, packFile } from '../support/stored-layers.js'
import { suite } from '../support/suite.js'

const test = suite('engine/copying')
const wolffia = new CommandLine()

/** A wall by an image whose program waits. */
const WALLS = [
  {
    wall: 'native',
    needs: [NATIVE, BUSYBOX],
    image: 'busybox',
    waits: ['sleep', '60'],
    cat: (path: string) => ['cat', path],
    prepare: () => wolffia.busybox(),
  },
  {
    wall: 'wasm',
    needs: [WASM],
    image: 'probe',
    waits: ['loop'],
    cat: (path: string) => ['cat', path],
    prepare: () => wolffia.output('import', resolve('dist/wasm/probe.wasm'), 'probe'),
  },
] as const

async function withContainer(
  { image, prepare }: (typeof WALLS)[number],
  options: Partial<CreateOptions>,
  body: (container: Container, engine: Engine) => Promise<void>,
): Promise<void> {
  await prepare()
  await using engine = await Engine.open({ home: wolffia.home })
  const container = await engine.containers.define({ image, ...options })
  try {
    await body(container, engine)
  } finally {
    await container.remove({ force: true })
  }
}

const tarOf = (...entries: readonly PackEntry[]) => Readable.from([Buffer.concat([...packTar(entries)])])

/** Entries of a tar as lines: name, type, mode, owners, and what it holds. */
async function listed(tar: AsyncIterable<Uint8Array>): Promise<string[]> {
  const bytes = await buffer(tar as Readable)
  return [...readEntries(bytesSource(bytes), { fileBytes: 1 << 30 })].map(
    ({ name, type, mode, uid, gid, segments, target, xattrs, size }) => {
      const held = segments.map(({ position, offset, length }) => `@${position}=${bytes.toString('latin1', offset, offset + length)}`)
      const words = [name, type, mode.toString(8), `${uid}:${gid}`, target && `-> ${target}`, size > 0 && size]
      return [...words, ...held, ...[...xattrs].map(([key, value]) => `${key}=${Buffer.from(value).toString('latin1')}`)]
        .filter(Boolean)
        .join(' ')
    },
  )
}

const NAME = fromUtf8('ünïcödé\n 名前')

/** All that a tar can say, but what nobody can make. */
const STRANGE: readonly PackEntry[] = [
  packEntry('d', { type: 'directory', mode: 0o1750 }),
  packFile('d/file', 'one', { mode: 0o4755, xattrs: new Map([['user.note', Uint8Array.of(0x61, 0, 0xff)]]) }),
  packEntry('d/hard', { type: 'hardlink', target: 'd/file' }),
  packEntry('d/link', { type: 'symlink', target: '../nowhere', mode: 0o777 }),
  packFile(`d/${NAME}`, '', { mode: 0 }),
  packFile('d/.wh.odd', 'no marker'),
  packEntry('d/sparse', {
    contents: {
      size: 1 << 20,
      segments: () => [{ position: 1 << 19, length: 4096 }],
      read: (into, position) => {
        into.fill(position >= 1 << 19 && position < (1 << 19) + 4096 ? 0x78 : 0)
        return into.length
      },
    },
  }),
]

for (const each of WALLS) {
  const { wall, needs, waits, cat } = each
  const walled = test.needs(...needs)

  walled(`${wall}: what is copied into a container that has never run comes out with every attribute, and is there at its start`, () =>
    withContainer(each, { command: cat('/d/file') }, async (container) => {
      await container.copyIn('/', tarOf(...STRANGE.filter(({ path }) => path !== 'd/.wh.odd')))
      const lines = await listed((await container.copyOut('/d')).tar)
      assert.equal(lines.sort(), [
        'd/ directory 1750 0:0',
        'd/file file 4755 0:0 3 @0=one user.note=a\0\u00ff',
        'd/hard hardlink 4755 0:0 -> d/file',
        'd/link symlink 777 0:0 -> ../nowhere',
        `d/sparse file 644 0:0 ${1 << 20} @${1 << 19}=${'x'.repeat(4096)}`,
        `d/${NAME} file 0 0:0`,
      ])
      const attached = await container.start({ attach: true })
      const said = buffer(attached?.stdout as Readable)
      await container.wait()
      assert.is((await said).toString().trim(), 'one')
    }),
  )

  walled(`${wall}: of a path is said what stands there`, () =>
    withContainer(each, { command: waits }, async (container) => {
      await container.copyIn('/', tarOf(...STRANGE.slice(0, 4), packEntry('far', { type: 'symlink', target: '/d/link', mode: 0o777 })))
      const { mtime, ...file } = await container.statPath('/d/file')
      assert.equal(file, { name: 'file', type: 'file', mode: 0o4755, uid: 0, gid: 0, size: 3, linkTarget: '' })
      assert.is(mtime.getTime(), 1_700_000_000_000)
      assert.is((await container.statPath('/far')).linkTarget, '/d/../nowhere')
      assert.equal([(await container.statPath('/')).name, (await container.statPath('/d/.')).name], ['/', '.'])
      await assertRejects(container.statPath('/d/nosuch'), 'FILE_NOT_FOUND')
      await assertRejects(container.statPath('/d/file/'), 'FILE_NOT_FOUND')
      await assertRejects(container.copyOut('/nosuch'), 'FILE_NOT_FOUND')
      await assertRejects(container.copyIn('/nosuch', tarOf()), 'FILE_NOT_FOUND')
      await assertRejects(container.copyIn('/d/file', tarOf()), 'INVALID_ARGUMENT')
    }),
  )

  walled(`${wall}: an archive that is not whole, or would leave the place, or holds a device, changes nothing`, () =>
    withContainer(each, { command: waits }, async (container) => {
      const before = await listed(await container.exportRoot())
      const whole = Buffer.concat([...packTar([packFile('first', 'x'), packFile('second', 'y'.repeat(2000))])])
      await assertRejects(container.copyIn('/', Readable.from([whole.subarray(0, 2048)])), 'INVALID_ARCHIVE')
      await assertRejects(container.copyIn('/', Readable.from([gzipSync(whole).subarray(0, 60)])), 'INVALID_ARCHIVE')
      await assertRejects(container.copyIn('/', tarOf(packFile('first', 'x'), packFile('a/../../up', 'x'))), 'UNSAFE_PATH')
      const device = packEntry('device', { type: 'character-device', device: { major: 1, minor: 3 } })
      await assertRejects(container.copyIn('/', tarOf(packFile('first', 'x'), device)), 'INVALID_ARGUMENT')
      assert.equal(await listed(await container.exportRoot()), before)
      const stopped = new AbortController()
      stopped.abort()
      await assertRejects(container.copyIn('/', tarOf(packFile('first', 'x')), { signal: stopped.signal }), 'ABORTED')
      assert.equal(await listed(await container.exportRoot()), before)
    }),
  )

  walled(`${wall}: a stream of a container’s files that nobody reads to its end lets the container go`, () =>
    withContainer(each, { command: waits }, async (container) => {
      const { tar } = await container.copyOut('/')
      tar.destroy()
      await container.start()
      await container.stop({ timeoutMs: 0 })
      for await (const _chunk of await container.exportRoot()) break
      await container.start()
      assert.is(container.status, 'running')
    }),
  )

  walled(`${wall}: while files are copied out of one that does not run, nobody starts it`, () =>
    withContainer(each, { command: waits }, async (container) => {
      const { tar } = await container.copyOut('/')
      let isStarted = false
      const started = container.start().then(() => {
        isStarted = true
      })
      await new Promise((soon) => setTimeout(soon, 200))
      assert.is(isStarted, false)
      tar.resume()
      await started
      assert.is(container.status, 'running')
    }),
  )

  walled(`${wall}: a copy to the host brings no program that is somebody’s by its mode`, () =>
    withContainer(each, { command: waits }, async (container, engine) => {
      await container.copyIn('/', tarOf(packEntry('d', { type: 'directory', mode: 0o2755 }), packFile('d/tool', 'x', { mode: 0o6755 })))
      const folder = join(wolffia.folder, `set-id-${wall}`)
      await engine.containers.copyToHost(container, '/d', folder)
      assert.equal([lstatSync(folder).mode & 0o7777, lstatSync(join(folder, 'tool')).mode & 0o7777], [0o755, 0o755])
    }),
  )

  walled(`${wall}: a tree of the host comes back as it was`, () =>
    withContainer(each, { command: waits }, async (container, engine) => {
      const folder = join(wolffia.folder, `tree-${wall}`)
      mkdirSync(join(folder, 'in/side'), { recursive: true })
      writeFileSync(join(folder, 'in/file'), 'x'.repeat(100_000))
      execFileSync(
        'sh',
        [
          '-ec',
          'ln in/file hard; ln -s /nowhere link; : > empty; truncate -s 3M holes; printf end >> holes; touch -d @1000000000 in/side in; chmod 700 in/side; : > "$(printf \'odd\\nname\\351\')"',
        ],
        { cwd: folder },
      )
      chmodSync(join(folder, 'empty'), 0o600)
      await engine.containers.copyFromHost(container, folder, '/tree')
      await engine.containers.copyToHost(container, '/tree/.', `${folder}-again`)
      const shown = (root: string) =>
        execFileSync('sh', ['-ec', "find . -mindepth 1 -exec stat -c '%n %F %a %h %s %Y' {} + | sort; cat hard holes | sha256sum"], {
          cwd: root,
          encoding: 'latin1',
        })
      assert.is(shown(`${folder}-again`), shown(folder))
    }),
  )

  walled(`${wall}: an ephemeral container has no files before it runs that could be changed`, () =>
    withContainer(each, { command: waits, autoRemove: true }, async (container) => {
      await assertRejects(container.copyIn('/', tarOf(packFile('first', 'x'))), 'CONFLICT')
      assert.ok((await listed(await container.exportRoot())).length > 0)
    }),
  )
}

test.needs(NATIVE, BUSYBOX)('a name that is a marker in a layer is a name like others in a container', () =>
  withContainer(WALLS[0], { command: ['sleep', '60'] }, async (container) => {
    await container.copyIn('/', tarOf(...STRANGE))
    assert.ok((await listed((await container.copyOut('/d/.wh.odd')).tar))[0]?.startsWith('.wh.odd file'))
  }),
)

test.needs(NATIVE, BUSYBOX)('a disk that is full fails the copy, and leaves nothing of it in the container’s folder', () =>
  withContainer(WALLS[0], { command: ['sleep', '60'], autoRemove: true, limits: { diskBytes: 1 << 20 } }, async (container) => {
    await container.start()
    const folder = join(wolffia.home, 'containers', container.id)
    const before = readdirSync(folder)
    const error = await container.copyIn('/tmp', tarOf(packFile('big', 'x'.repeat(4 << 20)))).catch((failure: unknown) => failure)
    assert.ok(error instanceof EngineError && error.data.errno === 'ENOSPC', String(error))
    assert.equal(readdirSync(folder), before)
  }),
)

test('docker’s table of cases says where a copy goes', () => {
  const at = (path: string, what: 'nothing' | 'file' | 'directory') => ({
    path,
    exists: what !== 'nothing',
    isDirectory: what === 'directory',
  })
  const file = { isDirectory: false }
  const directory = { isDirectory: true }
  assert.equal(placeFor(file, at('/to/new', 'nothing')), { directory: '/to', name: 'new' })
  assert.throws(() => placeFor(file, at('/to/new/', 'nothing')), /no such directory/)
  assert.equal(placeFor(file, at('/to/old', 'file')), { directory: '/to', name: 'old' })
  assert.equal(placeFor(file, at('/to', 'directory')), { directory: '/to', name: null })
  assert.equal(placeFor(directory, at('/to/new', 'nothing')), { directory: '/to', name: 'new' })
  assert.equal(placeFor(directory, at('/to/new/', 'nothing')), { directory: '/to', name: 'new' })
  assert.throws(() => placeFor(directory, at('/to/old', 'file')), /cannot copy directory/)
  assert.equal(placeFor(directory, at('/to', 'directory')), { directory: '/to', name: null })
})

test('nothing is left of all that', () => wolffia.end())

test.run()
