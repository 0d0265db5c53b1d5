/**
 * Layers as containerd's own library writes them. ESTARGZ_BUILD names a program of few lines around its `estargz.Build`, which reads the tar that
 * it is given first, writes the layer to the path that it is given second and prints the digests of its table of contents and of its tar.
 */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { link, mkdir, readFile, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gunzipSync } from 'node:zlib'
import * as assert from 'uvu/assert'
import type { Ino } from '../../src/fs/file-system.js'
import { indexTar } from '../../src/layer/index.js'
import { PackedLayer } from '../../src/layer/packed-layer.js'
import { bytesSource } from '../../src/layer/source.js'
import { LazyImage } from '../../src/registry/lazy-image.js'
import { openStack } from '../../src/rootfs/layer-stack.js'
import { withFolder } from '../support/image-fixtures.js'
import { RegistryServer } from '../support/registry-server.js'
import { named, withUser } from '../support/registry-user.js'
import { suite } from '../support/suite.js'

const test = suite('registry/lazy.interop')
const program = process.env.ESTARGZ_BUILD
const writer = test.needs({ name: 'estargz', missing: async () => (program === undefined ? 'ESTARGZ_BUILD names no program' : null) })

/** Everything about a tree but what only the writer adds. */
function described(tree: PackedLayer, directory: Ino = tree.root, path = ''): string[] {
  return tree.readdir(directory).flatMap(({ name, ino, type }) => {
    if (path === '' && /^(stargz\.index\.json|\.(no\.)?prefetch\.landmark)$/.test(name)) return []
    const { mode, uid, gid, size, linkCount, mtimeNs } = tree.stat(ino)
    const contents = new Uint8Array(type === 'file' ? size : 0)
    if (type === 'file') assert.is(tree.read(ino, contents, 0), size)
    const target = type === 'symlink' ? tree.readlink(ino) : ''
    const links = type === 'directory' ? '' : linkCount
    const line = [`${path}/${name}`, type, mode, uid, gid, size, links, mtimeNs, target, Buffer.from(contents).toString('base64')].join(' ')
    return [line, ...(type === 'directory' ? described(tree, ino, `${path}/${name}`) : [])]
  })
}

writer('a layer of containerd’s own shows lazily what it shows whole', () =>
  withFolder(async (folder) => {
    const root = join(folder, 'root')
    await mkdir(join(root, 'etc/deep'), { recursive: true })
    await writeFile(join(root, 'etc/conf'), 'key=value\n')
    await writeFile(join(root, 'etc/deep/ünïcode'), 'ä')
    await writeFile(join(root, 'big'), randomBytes(5 * 2 ** 20 + 3))
    await writeFile(join(root, 'empty'), '')
    await symlink('../big', join(root, 'etc/link'))
    await link(join(root, 'etc/conf'), join(root, 'etc/same'))
    await utimes(join(root, 'etc/conf'), 1_700_000_000, 1_700_000_000)
    const [tar, blobPath] = [join(folder, 'layer.tar'), join(folder, 'layer.esgz')]
    await promisify(execFile)('tar', ['-C', root, '--owner=7', '--group=8', '-cf', tar, '.'])
    const { stdout } = await promisify(execFile)(program ?? '', [tar, blobPath])
    const [toc = '', diffId = ''] = stdout.trim().split(' ')
    const blob = await readFile(blobPath)
    const whole = bytesSource(gunzipSync(blob))
    const expected = described(new PackedLayer(indexTar(whole), whole))
    await withUser(async (user) => {
      await using server = await RegistryServer.start()
      const annotations = { 'containerd.io/snapshot/stargz/toc.digest': toc }
      server.repository('app').seekable({ blob, diffId, annotations }, { tags: ['1'] })
      await user.configure({ insecureRegistries: [server.host] })
      using opened = await user.open()
      const reference = named(`${server.host}/app:1`)
      await using image = await LazyImage.open({ store: user.store, client: opened.client, reference, wish: {} })
      const stored = (await image.image.layers())[0]?.stored
      assert.ok(stored?.lazy)
      await stored.lazy.ensure(0, Number.MAX_SAFE_INTEGER / 2)
      const [tree] = openStack([stored])
      assert.ok(tree)
      assert.equal(described(tree), expected)
      assert.ok(expected.length >= 8)
    })
  }),
)

test.run()
