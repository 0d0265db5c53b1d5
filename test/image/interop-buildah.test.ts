/** buildah reads what we save, commit and keep, and we read what buildah writes: every packing, whiteouts, opaque directories. */
import { randomBytes } from 'node:crypto'
import { readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import * as zlib from 'node:zlib'
import * as assert from 'uvu/assert'
import { listTree } from '../../src/fs/list.js'
import { UnionFs } from '../../src/fs/union-fs.js'
import { commitImage } from '../../src/image/commit.js'
import { findImage } from '../../src/image/find.js'
import { importImage } from '../../src/image/import.js'
import { loadImages } from '../../src/image/load.js'
import { selectImage } from '../../src/image/platform-select.js'
import { saveImages, saveLayout } from '../../src/image/save.js'
import { packTar } from '../../src/layer/pack.js'
import { MEDIA_TYPE } from '../../src/oci/media-type.js'
import { parseReference, withDefaultTag } from '../../src/reference/normalize.js'
import { openStoredLayer } from '../../src/rootfs/layer-stack.js'
import type { Store } from '../../src/store/store.js'
import { assertWhole, namesIn, run, stream, withFolder, withStore } from '../support/image-fixtures.js'
import { program } from '../support/requirements.js'
import { packEntry, packFile } from '../support/stored-layers.js'
import { type Requirement, suite } from '../support/suite.js'

const test = suite('image/interop with buildah')
const DRIVERS = ['vfs', 'overlay'] as const
/** Each call of buildah is a process that makes its namespaces first. */
const SLOW = { timeoutMs: 240_000 }
type Driver = (typeof DRIVERS)[number]

/** buildah with a storage of its own below `folder`, which is gone afterwards though its files are other users'. */
async function withBuildah<T>(
  folder: string,
  driver: Driver,
  body: (buildah: (...words: string[]) => Promise<string>) => Promise<T>,
): Promise<T> {
  try {
    return await body((...words) => run('buildah', ...storage(folder, driver), ...words))
  } finally {
    await run('buildah', 'unshare', 'rm', '-rf', join(folder, 'buildah'))
  }
}

function storage(folder: string, driver: Driver): readonly string[] {
  return ['--root', join(folder, 'buildah/root'), '--runroot', join(folder, 'buildah/run'), '--storage-driver', driver]
}

/** The words that mount a container's root, for a shell within `buildah unshare`. */
function mounting(folder: string, driver: Driver): string {
  return ['buildah', ...storage(folder, driver), 'mount'].join(' ')
}

/** buildah that can mount a root of this driver's; vfs copies, and overlay is the kernel's. */
function buildahWith(driver: Driver): Requirement {
  return {
    name: `buildah with ${driver}`,
    missing: async () => {
      const missing = await program('buildah').missing()
      if (missing !== null) return missing
      return withFolder((folder) => withBuildah(folder, driver, (buildah) => buildah('from', 'scratch'))).then(
        () => null,
        (error: Error) => `buildah has no ${driver} here (${error.message.split('\n')[1]})`,
      )
    },
  }
}

/** What is in a store's image, by path, with the contents of files. */
async function treeOf(store: Store, name: string): Promise<Readonly<Record<string, string>>> {
  const { image } = await selectImage(store.layout, (await findImage(store, name)).descriptor)
  const lowers = []
  for (const layer of await image.layers()) lowers.push(openStoredLayer(await store.layers.ensure(layer)))
  try {
    const tree = new UnionFs({ lowers })
    const files = [...listTree(tree)].filter(({ type }) => type === 'file')
    return Object.fromEntries(
      files.map(({ path, ino, size }) => {
        const bytes = new Uint8Array(size ?? 0)
        tree.read(ino, bytes, 0)
        return [path, Buffer.from(bytes).toString()]
      }),
    )
  } finally {
    for (const lower of lowers) lower.close()
  }
}

const AFTER = { 'd/stays': 'stays', 'o/new': 'new' }

for (const driver of DRIVERS)
  test.needs(buildahWith(driver))(
    `what buildah makes with ${driver}, whiteouts and all, is loaded from every form it writes`,
    () =>
      withStore((store, folder) =>
        withBuildah(folder, driver, async (buildah) => {
          const write = async (from: string, script: string, name: string) => {
            const container = (await buildah('from', from)).trim()
            await run('buildah', 'unshare', 'sh', '-ec', `cd $(${mounting(folder, driver)} ${container}); ${script}`)
            await buildah('commit', '-q', container, name)
          }
          await write('scratch', 'mkdir d o; printf goes >d/goes; printf stays >d/stays; printf hidden >o/hidden', 'one')
          await write('one', 'rm d/goes; rm -r o; mkdir o; printf new >o/new', 'two')
          for (const [target, source] of [
            [`oci:${folder}/gzip:two`, 'gzip'],
            [`oci-archive:${folder}/oci.tar:registry.example/two:1`, 'oci.tar'],
            [`docker-archive:${folder}/docker.tar:registry.example/two:1`, 'docker.tar'],
          ] as const) {
            await buildah('push', '-q', 'two', target)
            const [loaded] = await loadImages(store, join(folder, source))
            assert.ok(loaded?.reference, source)
            assert.equal(await treeOf(store, loaded.descriptor.digest), AFTER, source)
          }
          await buildah('push', '-q', '--compression-format', 'zstd', 'two', `oci:${folder}/zstd:two`)
          const [zstd] = await loadImages(store, join(folder, 'zstd'))
          assert.ok(zstd)
          assert.equal(await treeOf(store, zstd.descriptor.digest), AFTER)
          const layers = await (await selectImage(store.layout, zstd.descriptor)).image.layers()
          assert.equal(
            layers.map(({ descriptor }) => descriptor.mediaType),
            [MEDIA_TYPE.ociLayerZstd, MEDIA_TYPE.ociLayerZstd],
          )
          const [, top] = layers
          assert.ok(top)
          const marker = driver === 'overlay' ? 'o/.wh..wh..opq' : 'o/.wh.hidden'
          assert.ok(namesIn(await store.layers.ensure(top)).includes(marker), marker)
          // However often it came and however it was packed: a layer is kept once.
          assert.is((await readdir(join(store.root, 'layers'))).length, 2)
          await assertWhole(store)
        }),
      ),
    SLOW,
  )

test.needs(buildahWith('vfs'))(
  'buildah reads what we save and commit in every form, and the store itself',
  () =>
    withStore((store, folder) =>
      withBuildah(folder, 'vfs', async (buildah) => {
        const base = [
          packEntry('d', { type: 'directory' }),
          packFile('d/goes', 'goes'),
          packFile('d/stays', 'stays', { mode: 0o640 }),
          packEntry('o', { type: 'directory' }),
          packFile('o/hidden', 'hidden'),
        ]
        const { digest } = await importImage(store, stream(Buffer.concat([...packTar(base)])), {
          reference: withDefaultTag(parseReference('base')),
        })
        const written = [
          packFile('d/.wh.goes', ''),
          packEntry('o', { type: 'directory' }),
          packFile('o/.wh..wh..opq', ''),
          packFile('o/new', 'new'),
        ]
        await commitImage(store, {
          base: digest,
          config: (config) => ({ ...config, Env: ['A=b'] }),
          layer: async () => stream(Buffer.concat([...packTar(written)])),
          step: { created: '2024-01-01T00:00:00Z' },
          reference: withDefaultTag(parseReference('committed')),
        })
        const lower = join(tmpdir(), `wolffia-test-${randomBytes(6).toString('hex')}`)
        await symlink(folder, lower)
        const sources = [`oci:${lower}/store:docker.io/library/committed:latest`]
        for (const [format, compression] of [
          ['docker-archive', 'none'],
          ['oci-archive', 'gzip'],
        ] as const) {
          const path = join(folder, `${format}.tar`)
          await writeFile(path, await buffer(Readable.from(saveImages(store, { images: ['committed'], format, compression }))))
          sources.push(`${format}:${path}`)
        }
        const packings = 'createZstdCompress' in zlib ? (['gzip', 'zstd'] as const) : (['gzip'] as const)
        for (const compression of packings) {
          await saveLayout(store, join(folder, `layout-${compression}`), { images: ['committed'], compression })
          sources.push(`oci:${join(lower, `layout-${compression}`)}`)
        }
        // buildah names what it pulls after its path, and no name has capitals.
        try {
          for (const source of sources) {
            const image = (await buildah('pull', '-q', source)).trim()
            const container = (await buildah('from', image)).trim()
            const script = `cd $(${mounting(folder, 'vfs')} ${container}); find . -type f | sort; stat -c %a d/stays; cat o/new`
            assert.is(await run('buildah', 'unshare', 'sh', '-ec', script), './d/stays\n./o/new\n640\nnew', source)
            assert.match(await buildah('inspect', '--type', 'image', '--format', '{{.OCIv1.Config.Env}}', image), /A=b/)
          }
        } finally {
          await rm(lower)
        }
      }),
    ),
  SLOW,
)

test.run()
