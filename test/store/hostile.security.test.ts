/** A home into which somebody has put what should not be there: each is an error that names it, and none is followed, waited for or read for ever. */
import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, lstatSync, mkdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { Engine } from '../../src/engine/engine.js'
import { hexOf } from '../../src/oci/digest.js'
import { Store } from '../../src/store/store.js'
import { FakeRuntime } from '../support/fake-runtime.js'
import { assertRejects, digestOf, LayoutBuilder, tarOf, withFolder, writeFiles } from '../support/image-fixtures.js'
import { ID_RANGE, program } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('store/hostile')
const LAYER = tarOf({ file: 'contents' })
const LAYER_BLOB = `blobs/sha256/${hexOf(digestOf(LAYER))}`

interface Bench {
  readonly home: string
  readonly folder: string
  readonly engine: Engine
  /** The blob of the image's manifest. */
  readonly manifestBlob: string
}

/** A home with the image `it:1`, whose layer is not made yet. */
function withHome(body: (bench: Bench) => Promise<void>): Promise<void> {
  return withFolder(async (folder) => {
    const builder = new LayoutBuilder()
    const manifest = builder.image([LAYER])
    await writeFiles(join(folder, 'layout'), builder.name(manifest, 'docker.io/library/it:1').files)
    const home = join(folder, 'home')
    await using engine = await Engine.open({ home, runtimes: [new FakeRuntime('native', {})] })
    await engine.images.load(join(folder, 'layout'))
    await body({ home, folder, engine, manifestBlob: `blobs/sha256/${hexOf(manifest.digest)}` })
  })
}

/** What somebody puts in a file's place. */
const IN_ITS_PLACE: Readonly<Record<string, (path: string) => unknown>> = {
  symlink: (path) => symlinkSync('/etc/passwd', path),
  FIFO: (path) => execFileSync('mkfifo', [path]),
  folder: (path) => mkdirSync(path),
  socket: (path) =>
    new Promise<void>((resolve) => {
      const server = createServer().listen(path, () => resolve())
      server.unref()
    }),
}

for (const [kind, put] of Object.entries(IN_ITS_PLACE)) {
  test(`a manifest replaced by a ${kind} is refused by name, found by the check, and taken out`, () =>
    withHome(async ({ home, folder, engine, manifestBlob }) => {
      rmSync(join(home, manifestBlob))
      await put(join(home, manifestBlob))
      if (kind !== 'folder') await assertRejects(engine.images.inspect('it:1'), 'INVALID_IMAGE')
      const [listed] = await engine.images.list()
      assert.ok(listed?.problem)
      const { damages } = await engine.check({ repair: true })
      assert.ok(
        damages.some(({ path, repaired }) => path === manifestBlob && !repaired),
        JSON.stringify(damages),
      )
      assert.not.ok(lstatSync(join(home, manifestBlob), { throwIfNoEntry: false }))
      assert.ok(readFileSync('/etc/passwd').length > 0, 'what a link leads to is nobody’s to remove')
      await engine.images.load(join(folder, 'layout'))
      assert.ok((await engine.check()).whole)
    }))

  test(`a layer's blob replaced by a ${kind} is refused by name before it is read`, () =>
    withHome(async ({ home, engine }) => {
      rmSync(join(home, LAYER_BLOB))
      await put(join(home, LAYER_BLOB))
      await assertRejects(engine.images.fs('it:1'), 'INVALID_IMAGE')
      const { damages } = await engine.check()
      assert.match(damages.find(({ path }) => path === LAYER_BLOB)?.problem ?? '', new RegExp(`is a ${kind}, where a file must be`))
    }))

  test(`an index.json replaced by a ${kind} is refused by name, holds nobody up, and is made anew by a repair`, () =>
    withHome(async ({ home, engine }) => {
      rmSync(join(home, 'index.json'))
      await put(join(home, 'index.json'))
      const refused = await engine.images.list().catch((error: Error) => error)
      assert.instance(refused, Error)
      assert.match((refused as Error).message, /index\.json|EISDIR/)
      assert.ok((await engine.check({ repair: true })).whole)
      assert.is((await engine.images.list()).length, 1)
    }))

  test(`an oci-layout replaced by a ${kind} is refused by name`, () =>
    withHome(async ({ home }) => {
      rmSync(join(home, 'oci-layout'))
      await put(join(home, 'oci-layout'))
      const refused = await Store.open({ root: home }).catch((error: Error) => error)
      assert.instance(refused, Error)
      assert.match((refused as Error).message, /oci-layout|EISDIR/)
    }))

  test(`a layer's tar replaced by a ${kind} is made again`, () =>
    withHome(async ({ home, engine }) => {
      await (await engine.images.fs('it:1'))[Symbol.asyncDispose]()
      const tar = `layers/${hexOf(digestOf(LAYER))}/tar`
      rmSync(join(home, tar))
      await put(join(home, tar))
      assert.not.ok((await engine.check()).whole)
      await using fs = await engine.images.fs('it:1')
      assert.is(fs.readFileSync('/file', 'utf8'), 'contents')
      assert.ok((await engine.check()).whole)
    }))
}

test('a blob as large as the disk is not read to be refused', () =>
  withHome(async ({ home, engine, manifestBlob }) => {
    for (const path of [manifestBlob, LAYER_BLOB]) {
      chmodSync(join(home, path), 0o600)
      truncateSync(join(home, path), 2 ** 42)
    }
    await assertRejects(engine.images.inspect('it:1'), 'INVALID_IMAGE', /bytes/)
    const { damages } = await engine.check()
    assert.match(damages[0]?.problem ?? '', /^has 4398046511104 bytes, and should have/)
    assert.not.ok((await engine.check({ repair: true })).whole)
    assert.not.ok(existsSync(join(home, manifestBlob)))
  }))

test('an index.json as large as the disk is refused unread, and set aside by a repair', () =>
  withHome(async ({ home, engine }) => {
    truncateSync(join(home, 'index.json'), 2 ** 42)
    await assertRejects(engine.images.list(), 'INVALID_IMAGE', /index\.json has 4398046511104 bytes/)
    assert.ok((await engine.check({ repair: true })).whole)
    assert.is((await engine.images.list()).length, 1)
  }))

test('a layer’s tar as large as the disk is not read to be found out', () =>
  withHome(async ({ home, engine }) => {
    await (await engine.images.fs('it:1'))[Symbol.asyncDispose]()
    const tar = join(home, `layers/${hexOf(digestOf(LAYER))}/tar`)
    rmSync(tar)
    writeFileSync(tar, '')
    truncateSync(tar, 2 ** 42)
    assert.match((await engine.check()).damages[0]?.problem ?? '', /larger than its index says/)
    assert.ok((await engine.check({ repair: true })).whole)
  }))

for (const [what, lines] of Object.entries({
  'a digest that is a path': [{ digest: 'sha256:../../../../etc/passwd' }],
  'a negative size': [{ size: -1 }],
  'another kind of list': 'none',
  'a name with control characters': [{ annotations: { 'org.opencontainers.image.ref.name': 'x\u001b[2J' } }],
}))
  test(`an index.json with ${what} reaches nothing outside, and costs no image`, () =>
    withHome(async ({ home, engine }) => {
      const { manifests, ...rest } = JSON.parse(readFileSync(join(home, 'index.json'), 'utf8')) as { manifests: object[] }
      const hostile = typeof lines === 'string' ? lines : lines.map((line) => ({ ...manifests[0], ...line }))
      writeFileSync(join(home, 'index.json'), JSON.stringify({ ...rest, manifests: hostile }))
      const report = await engine.check({ repair: true })
      assert.ok(report.whole, JSON.stringify(report.damages))
      const [image, ...others] = await engine.images.list()
      assert.equal(others, [])
      assert.is(image?.problem, null)
    }))

test('an index.json whose index leads round in a circle ends', () =>
  withHome(async ({ home, folder, engine }) => {
    // No digest can name itself, so the circle is one of wrong bytes.
    const builder = new LayoutBuilder()
    const inner = builder.index([])
    const outer = builder.index([inner])
    await writeFiles(home, { [`blobs/sha256/${hexOf(outer.digest)}`]: JSON.stringify({ schemaVersion: 2, manifests: [outer] }) })
    const index = JSON.parse(readFileSync(join(home, 'index.json'), 'utf8'))
    writeFileSync(join(home, 'index.json'), JSON.stringify({ ...index, manifests: [...index.manifests, outer] }))
    assert.not.ok((await engine.check()).whole)
    assert.ok(existsSync(folder))
  }))

test.needs(ID_RANGE, program('unshare'))('files of another user in the home are named, and copied before they are trusted', () =>
  withHome(async ({ home, engine }) => {
    const asOther = (...words: string[]) => execFileSync('unshare', ['-r', '--map-auto', ...words])
    // To be read by others, or there would be nothing to copy.
    chmodSync(join(home, LAYER_BLOB), 0o644)
    asOther('chown', '7', join(home, LAYER_BLOB))
    const other = lstatSync(join(home, LAYER_BLOB)).uid
    assert.is.not(other, process.geteuid?.())
    const { damages } = await engine.check()
    assert.is(damages.find(({ path }) => path === LAYER_BLOB)?.problem, `belongs to another user (uid ${other}), who could change it`)
    assert.ok((await engine.check({ repair: true })).whole)
    assert.is(lstatSync(join(home, LAYER_BLOB)).uid, process.geteuid?.())
    writeFileSync(join(home, 'blobs/sha256/theirs'), 'x')
    asOther('chown', '7', join(home, 'blobs/sha256/theirs'))
    const report = await engine.check({ repair: true })
    assert.not.ok(report.whole)
    assert.match(report.damages.find(({ kind }) => kind === 'foreign')?.remedy ?? '', /rm -r .*theirs/)
    rmSync(join(home, 'blobs/sha256/theirs'))
  }),
)

test.run()
