/** A home with something wrong in it: what `check` says of it, and what `repair` makes of it. */
import { randomBytes } from 'node:crypto'
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import * as assert from 'uvu/assert'
import { ContainerState } from '../../src/container/state.js'
import { type CheckReport, checkHome } from '../../src/engine/check.js'
import { Engine } from '../../src/engine/engine.js'
import { singleIdMap } from '../../src/launcher/id-map.js'
import { packTar } from '../../src/layer/pack.js'
import { hexOf } from '../../src/oci/digest.js'
import { MEDIA_TYPE } from '../../src/oci/media-type.js'
import { Store } from '../../src/store/store.js'
import { deadIdentity } from '../support/dead-identity.js'
import { FakeRuntime } from '../support/fake-runtime.js'
import { digestOf, LayoutBuilder, tarOf, withFolder, writeFiles } from '../support/image-fixtures.js'
import { packFile } from '../support/stored-layers.js'
import { suite } from '../support/suite.js'

const test = suite('engine/check')

/** A tar of files that can be executed. */
function programs(files: Readonly<Record<string, string>>): Uint8Array {
  return Buffer.concat([...packTar(Object.entries(files).map(([path, content]) => packFile(path, content, { mode: 0o755 })))])
}

const PACKED_TAR = programs({ hello: '\x7fELF', packed: 'x'.repeat(50_000) })
const PACKED_BLOB = gzipSync(PACKED_TAR)
const PLAIN_TAR = programs({ hello: '\x7fELF', plain: 'y'.repeat(50_000) })
const packedLayer = `layers/${hexOf(digestOf(PACKED_TAR))}`
const packedBlob = `blobs/sha256/${hexOf(digestOf(PACKED_BLOB))}`
const plainLayer = `layers/${hexOf(digestOf(PLAIN_TAR))}`
const plainBlob = `blobs/sha256/${hexOf(digestOf(PLAIN_TAR))}`

interface Bench {
  readonly home: string
  readonly engine: Engine
  /** An OCI layout with both images. */
  readonly layout: string
  at(path: string): string
}

/** A home with `packed:1` (a gzipped layer), `plain:1` (an uncompressed one) and a container of `packed:1`; all layers are made. */
function withHome(body: (bench: Bench) => Promise<void>): Promise<void> {
  return withFolder(async (folder) => {
    const builder = new LayoutBuilder()
    const config = (tar: Uint8Array) =>
      builder.blob({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [digestOf(tar)] } }, MEDIA_TYPE.ociConfig)
    const packed = builder.manifest(config(PACKED_TAR), [builder.blob(PACKED_BLOB, MEDIA_TYPE.ociLayerGzip)])
    const plain = builder.manifest(config(PLAIN_TAR), [builder.blob(PLAIN_TAR, MEDIA_TYPE.ociLayer)])
    builder.name(packed, 'docker.io/library/packed:1').name(plain, 'docker.io/library/plain:1')
    const layout = join(folder, 'layout')
    await writeFiles(layout, builder.files)
    const home = join(folder, 'home')
    await using engine = await Engine.open({ home, runtimes: [new FakeRuntime('native', { '/hello': () => 0 })] })
    await engine.images.load(layout)
    for (const name of ['packed:1', 'plain:1']) {
      await using fs = await engine.images.fs(name)
      assert.ok(fs.readdirSync('/').length > 0)
    }
    await engine.containers.define({ image: 'packed:1', command: ['/hello'], name: 'kept' })
    await body({ home, engine, layout, at: (path) => join(home, path) })
  })
}

const damagesOf = ({ damages }: CheckReport) => damages.map(({ kind, path, problem }) => `${kind} ${path} ${problem}`)

test('a home in use is whole, and the report says how much was looked at', () =>
  withHome(async ({ engine, home }) => {
    const report = await engine.check()
    assert.equal(damagesOf(report), [])
    assert.ok(report.whole)
    // Three blobs each; the tar of the packed layer is a file of its own, that of the plain one its blob.
    const { bytes, ...counts } = report.checked
    assert.equal(counts, { images: 2, files: 7, layers: 2, trees: 0, containers: 1 })
    assert.ok(bytes > 100_000)
    assert.is(report.home, home)
  }))

/** What is done to a home, what is then said of it, and whether repair needs nothing else. */
interface Case {
  readonly title: string
  readonly damage: (bench: Bench) => unknown
  readonly says: RegExp
  readonly mends: boolean
}

const spoil = (path: string) => {
  chmodSync(path, 0o600)
  const bytes = readFileSync(path)
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1
  writeFileSync(path, bytes)
}

const CASES: readonly Case[] = [
  {
    title: 'a layer that has lost its index',
    damage: ({ at }) => rmSync(at(`${packedLayer}/index`)),
    says: new RegExp(`^layer ${packedLayer} has lost its index$`),
    mends: true,
  },
  {
    title: 'a layer that has lost its tar',
    damage: ({ at }) => rmSync(at(`${packedLayer}/tar`)),
    says: new RegExp(`^layer ${packedLayer} has lost its tar$`),
    mends: true,
  },
  {
    title: 'a layer whose tar has a wrong byte',
    damage: ({ at }) => spoil(at(`${packedLayer}/tar`)),
    says: /has a tar that is damaged: its bytes are sha256:/,
    mends: true,
  },
  {
    title: 'a layer whose tar is longer than its index says',
    damage: ({ at }) => {
      chmodSync(at(`${packedLayer}/tar`), 0o600)
      appendFileSync(at(`${packedLayer}/tar`), Buffer.alloc(512))
    },
    says: /has a tar that is larger than its index says/,
    mends: true,
  },
  {
    title: 'the index of another layer',
    damage: ({ at }) => writeFileSync(at(`${packedLayer}/index`), readFileSync(at(`${plainLayer}/index`))),
    says: /has (an index that is not that of its tar|a tar that is larger than its index says)/,
    mends: true,
  },
  {
    title: 'an index that is none',
    damage: ({ at }) => writeFileSync(at(`${packedLayer}/index`), 'none'),
    says: /has an index that is not that of its tar/,
    mends: true,
  },
  {
    title: 'a blob that was lost, but whose bytes the layer has',
    damage: ({ at }) => rmSync(at(plainBlob)),
    says: new RegExp(`^blob ${plainBlob} is missing`),
    mends: true,
  },
  {
    title: 'a blob that was lost',
    damage: ({ at }) => rmSync(at(packedBlob)),
    says: new RegExp(`^blob ${packedBlob} is missing`),
    mends: false,
  },
  {
    title: 'a blob with a wrong byte, whose layer is the same file',
    damage: ({ at }) => spoil(at(plainBlob)),
    says: new RegExp(`^blob ${plainBlob} is damaged: its bytes are sha256:`),
    mends: false,
  },
  {
    title: 'a blob that is cut off',
    damage: ({ at }) => {
      chmodSync(at(packedBlob), 0o600)
      truncateSync(at(packedBlob), 10)
    },
    says: new RegExp(`^blob ${packedBlob} has 10 bytes, and should have ${PACKED_BLOB.length}`),
    mends: false,
  },
  {
    title: 'a container whose layers are gone with their image',
    damage: ({ at }) => {
      const index = JSON.parse(readFileSync(at('index.json'), 'utf8'))
      writeFileSync(at('index.json'), JSON.stringify({ ...index, manifests: index.manifests.slice(1) }))
      rmSync(at(packedLayer), { recursive: true })
    },
    says: /^container containers\/[0-9a-f]{64} has lost 1 of the layers it stands on/,
    mends: false,
  },
  {
    title: 'a record that is cut off',
    damage: ({ at }) => writeFileSync(at(`containers/${containerIn(at('containers'))}/container.json`), '{"version":'),
    says: /^container containers\/[0-9a-f]{64} has a record that cannot be read$/,
    mends: false,
  },
  {
    title: 'a folder of a container that was never made',
    damage: ({ at }) => mkdirSync(at(`containers/${'ab'.repeat(32)}`), { mode: 0o700 }),
    says: /^leftover containers\/(ab)+ is what a killed command has left of a container$/,
    mends: true,
  },
  {
    title: 'the name of a container that is gone',
    damage: ({ at }) => symlinkSync('cd'.repeat(32), at('containers/names/gone')),
    says: /^leftover containers\/names\/gone is the name of a container that is gone$/,
    mends: true,
  },
  {
    title: 'blobs that no name leads to',
    damage: ({ at }) => writeFileSync(at(`blobs/sha256/${hexOf(digestOf('nobody’s'))}`), 'nobody’s'),
    says: /^leftover blobs\/sha256\/[0-9a-f]{64} is part of no image and no container$/,
    mends: true,
  },
  {
    title: 'an ingest of a process that is gone',
    damage: async ({ at }) => mkdirSync(at(`ingest/${await deadIdentity()}-0123456789ab`)),
    says: /^leftover ingest\/.* was left by a process that is gone$/,
    mends: true,
  },
  {
    title: 'a lock that the dead hold',
    damage: async ({ at }) => {
      const lock = at(`locks/container-${containerIn(at('containers'))}`)
      mkdirSync(lock, { recursive: true, mode: 0o700 })
      writeFileSync(join(lock, `7-${await deadIdentity()}-0123456789ab`), '')
    },
    says: /^leftover locks\/container-.*\/7-.* was left by a process that is gone$/,
    mends: true,
  },
  {
    title: 'the lock of a container that is gone',
    damage: ({ at }) => mkdirSync(at(`locks/container-${'ef'.repeat(32)}`), { mode: 0o700 }),
    says: /^leftover locks\/container-(ef)+ is the lock of a container that is gone$/,
    mends: true,
  },
  {
    title: 'an index.json that was being written',
    damage: ({ at }) => writeFileSync(at('index.json.new'), '{'),
    says: /^leftover index.json.new /,
    mends: true,
  },
  {
    title: 'a folder that others can enter',
    damage: ({ at }) => chmodSync(at('blobs/sha256'), 0o755),
    says: /^permissions blobs\/sha256 is open to others \(mode 0755\)$/,
    mends: true,
  },
  {
    title: 'a folder that its owner cannot enter',
    damage: ({ at }) => chmodSync(at('layers'), 0),
    says: /^permissions layers is closed to its own owner \(mode 0000\)$/,
    mends: true,
  },
  {
    title: 'a blob that its owner cannot read',
    damage: ({ at }) => chmodSync(at(packedBlob), 0),
    says: new RegExp(`^permissions ${packedBlob} cannot be read by its own owner \\(mode 0000\\)$`),
    mends: true,
  },
  {
    title: 'a file of somebody else',
    damage: ({ at }) => writeFileSync(at('notes.txt'), 'mine'),
    says: /^foreign notes.txt is none of wolffia's$/,
    mends: false,
  },
]

function containerIn(folder: string): string {
  return readdirSync(folder).find((name) => name !== 'names') ?? ''
}

for (const { title, damage, says, mends } of CASES)
  test(`${title}: is named, and ${mends ? 'repaired' : 'not repaired in silence'}`, () =>
    withHome(async (bench) => {
      await damage(bench)
      const found = await bench.engine.check()
      assert.not.ok(found.whole)
      assert.ok(
        damagesOf(found).some((line) => says.test(line)),
        damagesOf(found).join('\n'),
      )
      assert.ok(found.damages.every(({ repaired }) => !repaired))
      const repaired = await bench.engine.check({ repair: true })
      assert.is(repaired.whole, mends, damagesOf(repaired).join('\n'))
      assert.is(
        repaired.damages.every((each) => each.repaired),
        mends,
      )
      if (!mends) assert.ok(repaired.damages.some((each) => !each.repaired && each.remedy !== null && !each.remedy.includes('null')))
      const again = await bench.engine.check()
      assert.is(again.whole, mends)
    }))

test('an image that has lost a blob is named by all its names, and is whole when it was loaded again', () =>
  withHome(async ({ engine, layout, at }) => {
    await engine.images.tag('packed:1', 'other:2')
    spoil(at(packedBlob))
    const [damage] = (await engine.check()).damages
    assert.equal(damage?.images, ['packed:1', 'other:2'])
    assert.match(damage?.remedy ?? '', /--repair, then .*wolffia load/)
    const repaired = await engine.check({ repair: true })
    assert.equal(damagesOf(repaired), [`blob ${packedBlob} is missing (${MEDIA_TYPE.ociLayerGzip})`])
    await engine.images.load(layout)
    assert.ok((await engine.check()).whole)
  }))

test('a blob of a wrong size is replaced by loading alone', () =>
  withHome(async ({ engine, layout, at }) => {
    chmodSync(at(packedBlob), 0o600)
    truncateSync(at(packedBlob), 10)
    await engine.images.load(layout)
    assert.ok((await engine.check()).whole)
  }))

test('what only its origin has is brought in again from there, as the last step of a repair', () =>
  withHome(async ({ engine, layout, home, at }) => {
    rmSync(at(packedBlob))
    const store = await Store.open({ root: home })
    const asked: string[] = []
    const parts = { store, state: new ContainerState(home), idMap: singleIdMap(), sweep: async () => {} }
    const bringIn = async (reference: string) => {
      asked.push(reference)
      await engine.images.load(layout)
    }
    assert.not.ok((await checkHome({ ...parts, bringIn })).whole)
    assert.equal(asked, [])
    const report = await checkHome({ ...parts, bringIn }, { repair: true })
    assert.equal(asked, ['packed:1'])
    assert.ok(report.whole)
    rmSync(at(packedBlob))
    const offline = await checkHome({ ...parts, bringIn: () => Promise.reject(new Error('nobody answers')) }, { repair: true })
    assert.match(offline.damages[0]?.remedy ?? '', /wolffia load .*could not be repaired: nobody answers/)
  }))

test('an index.json that cannot be read loses no image: what can be read of it stays, the rest is there without its name', () =>
  withHome(async ({ engine, at }) => {
    const before = readFileSync(at('index.json'), 'utf8')
    const index = JSON.parse(before)
    index.manifests[1].digest = '../../../etc/passwd'
    writeFileSync(at('index.json'), JSON.stringify(index))
    assert.match(damagesOf(await engine.check())[0] ?? '', /^names index.json cannot be read: .*digest/)
    assert.ok((await engine.check({ repair: true })).whole)
    assert.equal((await engine.images.list()).map(({ references }) => references).sort(), [[], ['packed:1']])
    assert.is(readFileSync(at('index.json.damaged'), 'utf8'), JSON.stringify(index))
    for (const content of ['', '[', randomBytes(100)]) {
      writeFileSync(at('index.json'), content)
      assert.ok((await engine.check({ repair: true })).whole)
      assert.equal((await engine.images.list()).length, 2)
    }
    rmSync(at('index.json'))
    mkdirSync(at('index.json'))
    assert.ok((await engine.check({ repair: true })).whole)
    assert.equal((await engine.images.list()).length, 2)
  }))

test('nothing is pruned away while the names cannot be read', () =>
  withHome(async ({ engine, at }) => {
    const blobs = readdirSync(at('blobs/sha256'))
    writeFileSync(at('index.json'), 'x')
    await engine.check({ repair: true })
    assert.equal(readdirSync(at('blobs/sha256')), blobs)
  }))

test('an index that keeps some of its platforms only is whole, and with none of them it leads nowhere', () =>
  withHome(async ({ engine, at, layout, home }) => {
    const builder = new LayoutBuilder()
    const [here, there] = ['amd64', 's390x'].map((architecture) => builder.image([tarOf({ architecture })], { architecture }))
    builder.name(builder.index([here, there].map((each) => each ?? {})), 'docker.io/library/both:1')
    const folder = join(layout, '../both')
    await writeFiles(folder, builder.files)
    rmSync(join(folder, 'blobs/sha256', hexOf(there?.digest ?? 'sha256:')))
    await engine.images.load(folder)
    assert.equal(
      damagesOf(await engine.check()).filter((line) => !line.startsWith('leftover')),
      [],
    )
    assert.ok(existsSync(home))
    rmSync(at(`blobs/sha256/${hexOf(here?.digest ?? 'sha256:')}`))
    const { damages } = await engine.check({ repair: true })
    const [damage] = damages.filter(({ repaired }) => !repaired)
    assert.match(damage?.problem ?? '', /leads from both:1 to no image: none of its platforms is stored/)
    assert.match(damage?.remedy ?? '', /wolffia rmi both:1/)
  }))

test('a merged index of many layers that is stale is found and made anew', () =>
  withHome(async ({ engine, at, layout }) => {
    const builder = new LayoutBuilder()
    const layers = Array.from({ length: 9 }, (_, place) => programs({ [`file${place}`]: '\x7fELF' }))
    builder.name(builder.image(layers, { architecture: process.arch === 'arm64' ? 'arm64' : 'amd64' }), 'docker.io/library/tall:1')
    await writeFiles(join(layout, '../tall'), builder.files)
    await engine.images.load(join(layout, '../tall'))
    const container = await engine.containers.define({ image: 'tall:1', command: ['/file1'] })
    await container.remove()
    const top = `layers/${hexOf(digestOf(layers[8] ?? ''))}`
    const name = readdirSync(at(top)).find((each) => each.startsWith('stack-'))
    assert.ok(name, 'a merged index is kept')
    assert.ok((await engine.check()).whole)
    spoil(at(`${top}/${name}`))
    assert.equal(damagesOf(await engine.check()), [`layer ${top}/${name} is not the index of the layers together that it is for`])
    assert.ok((await engine.check({ repair: true })).whole)
    writeFileSync(at(`${top}/${name}.${await deadIdentity()}-1`), '')
    assert.match(damagesOf(await engine.check())[0] ?? '', /^leftover layers/)
    assert.ok((await engine.check({ repair: true })).whole)
  }))

test('checks and commands at once see no damage in each other', () =>
  withHome(async ({ engine, layout }) => {
    const churn = async () => {
      for (let turn = 0; turn < 8; turn++) {
        await engine.images.load(layout)
        await engine.images.tag('plain:1', 'plain:2')
        await engine.images.remove('plain:1', { force: true })
        await engine.images.remove('plain:2', { force: true })
      }
      await engine.images.load(layout)
    }
    const look = async () => {
      for (let turn = 0; turn < 4; turn++) assert.equal(damagesOf(await engine.check({ repair: true })), [])
    }
    await Promise.all([churn(), look()])
    assert.ok((await engine.check()).whole)
  }))

test.run()
