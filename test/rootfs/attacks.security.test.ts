/**
 * Every attack of an archive on both faces of a layer: the union in memory, which the Wasm wall reads, and the launcher's tree write, of which the
 * kernel makes the native wall's root. The launcher is told the archive's names twice: as `layer/` lets them through, and with `layer/` passed by.
 */
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import * as assert from 'uvu/assert'
import { EngineError } from '../../src/errors.js'
import type { ReadonlyFileSystem } from '../../src/fs/file-system.js'
import { listTree } from '../../src/fs/list.js'
import { importImage } from '../../src/image/import.js'
import { loadImages } from '../../src/image/load.js'
import { selectImage } from '../../src/image/platform-select.js'
import { chooseIdMap, singleIdMap } from '../../src/launcher/id-map.js'
import type { TreeRecord } from '../../src/launcher/tree-stream.js'
import { readEntries, type TarEntry } from '../../src/layer/entry.js'
import { DEFAULT_INDEX_LIMITS } from '../../src/layer/limits.js'
import { bytesSource } from '../../src/layer/source.js'
import { MEDIA_TYPE } from '../../src/oci/media-type.js'
import { removeTrees } from '../../src/rootfs/remove-tree.js'
import { writeDirectory } from '../../src/rootfs/write-directory.js'
import type { StoredLayer } from '../../src/store/layer-store.js'
import type { Store } from '../../src/store/store.js'
import { ARCHIVE_ATTACKS, type ArchiveAttack } from '../layer/attacks.js'
import { rawTar } from '../layer/tar.js'
import { assertRejects, contentsOf, digestOf, LayoutBuilder, stream, tarOf, withStore } from '../support/image-fixtures.js'
import { NATIVE } from '../support/requirements.js'
import { storedRootfs } from '../support/stored-layers.js'
import { suite } from '../support/suite.js'
import { assertSameTree } from './same-tree.js'

const test = suite('rootfs/attacks of archives')
const EMPTY = ['index.json', 'oci-layout']

/** A store, the folder that attacks want to get at, and the check that none did. */
async function attacked(body: (store: Store, folder: string, outside: string) => Promise<void>): Promise<void> {
  await withStore(async (store, folder) => {
    const outside = join(folder, 'outside')
    mkdirSync(outside)
    writeFileSync(join(outside, 'secret'), 'secret')
    chmodSync(join(outside, 'secret'), 0o640)
    const before = described(outside)
    await body(store, folder, outside)
    assert.equal(described(outside), before)
    assert.equal(readdirSync(folder).sort(), ['outside', 'store'])
  })
}

const described = (outside: string) => {
  const of = (path: string) => {
    const { mode, nlink, mtimeMs, uid } = statSync(path)
    return [mode, nlink, mtimeMs, uid]
  }
  return [of(outside), readdirSync(outside), of(join(outside, 'secret')), readFileSync(join(outside, 'secret'), 'utf8')]
}

const tarsOf = (attack: ArchiveAttack, outside: string) =>
  attack.layers(outside).map((layer) => (layer instanceof Uint8Array ? layer : rawTar(layer)))

/** Loads an image of these layers, gzipped, and makes all of them as the first container would. */
async function layersOf(store: Store, tars: readonly Uint8Array[]): Promise<StoredLayer[]> {
  const builder = new LayoutBuilder()
  const blobs = tars.map((tar) => builder.blob(gzipSync(tar), MEDIA_TYPE.ociLayerGzip))
  const config = { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: tars.map(digestOf) } }
  builder.name(builder.manifest(builder.blob(config, MEDIA_TYPE.ociConfig), blobs), 'attack')
  const [loaded] = await loadImages(store, stream(tarOf(builder.files)))
  assert.ok(loaded)
  const { image } = await selectImage(store.layout, loaded.descriptor)
  const layers: StoredLayer[] = []
  for (const layer of await image.layers()) layers.push(await store.layers.ensure(layer))
  return layers
}

/** A tree as lines: path, type, and contents, target or device. */
function linesOf(tree: ReadonlyFileSystem): string[] {
  return [...listTree(tree)].map(({ path, ino, type, size, target, device }) => {
    if (type !== 'file') return [path, type, target ?? (device === null ? '' : `${device.major}:${device.minor}`)].join(' ').trimEnd()
    const buffer = Buffer.alloc(Math.min(size ?? 0, 1000))
    tree.read(ino, buffer, 0)
    return `${path} file ${(size ?? 0) > 1000 ? `${size} bytes` : buffer.toString('latin1')}`.trimEnd()
  })
}

function assertHolds(lines: readonly string[], expected: readonly string[]): void {
  for (const line of expected)
    if (line.startsWith('- '))
      assert.not.ok(
        lines.some((each) => `${each} `.startsWith(`${line.slice(2)} `)),
        line,
      )
    else assert.ok(lines.includes(line), `${line} is not in\n${lines.join('\n')}`)
}

/** What a launcher would be told of an archive by someone who judges none of its names. */
function* unjudged(tar: Uint8Array): Generator<TreeRecord> {
  yield { record: 'entry', entry: recordOf({ name: '', type: 'directory', mode: 0o755 } as TarEntry) }
  for (const entry of readEntries(bytesSource(tar), DEFAULT_INDEX_LIMITS)) {
    yield { record: 'entry', entry: recordOf(entry) }
    for (const { position, offset, length } of entry.segments)
      yield { record: 'data', offset: position, bytes: tar.subarray(offset, offset + length) }
    for (const [name, value] of entry.xattrs) yield { record: 'xattr', name, value }
  }
  yield { record: 'end' }
}

function recordOf({ name, type, mode, size = 0, target = '', device = null }: TarEntry) {
  return {
    kind: type === 'hardlink' ? ('hard-link' as const) : type,
    path: name,
    mode,
    uid: 0,
    gid: 0,
    size,
    mtimeNs: 0n,
    atimeNs: 0n,
    ...(target === '' ? {} : { target }),
    ...(device === null ? {} : { device }),
  }
}

for (const [name, attack] of Object.entries(ARCHIVE_ATTACKS)) {
  const { answer } = attack
  if (typeof answer === 'string')
    test(`${name}: is refused and leaves nothing`, () =>
      attacked(async (store, _, outside) => {
        const tars = tarsOf(attack, outside)
        const harmful = tars.findIndex((_, place) => place === tars.length - 1 || tars.length > 1)
        await assertRejects(importImage(store, stream(tars[harmful] ?? new Uint8Array())), answer)
        assert.equal(await contentsOf(store), EMPTY)
        await assertRejects(layersOf(store, tars), answer)
        assert.equal(await store.layers.diffIds(), [])
        assert.not((await contentsOf(store)).some((path) => /^(ingest|layers)/.test(path)))
      }))
  else
    test(`${name}: is contained in the union`, () =>
      attacked(async (store, _, outside) => {
        const layers = await layersOf(store, tarsOf(attack, outside))
        assertHolds(linesOf(storedRootfs(layers).tree()), answer(outside))
      }))

  if (typeof answer !== 'string')
    test.needs(NATIVE)(`${name}: is the same tree for the kernel`, () =>
      attacked(async (store, _, outside) => {
        const idMap = chooseIdMap().map
        const layers = await layersOf(store, tarsOf(attack, outside))
        try {
          await assertSameTree(idMap, layers, store.root)
        } finally {
          await removeTrees(idMap, [join(store.root, 'trees')])
        }
      }),
    )

  test.needs(NATIVE)(`${name}: reaches nothing when the launcher is told it unjudged`, () =>
    attacked(async (_, __, outside) => {
      for (const tar of tarsOf(attack, outside)) {
        const path = mkdtempSync(join(tmpdir(), 'wolffia-attack-'))
        try {
          await writeDirectory(singleIdMap(), join(path), unjudged(tar)).catch((error: unknown) => {
            // Whether it is refused by our reader, the encoder or the launcher: by name.
            if (!(error instanceof EngineError) && !(error instanceof RangeError)) throw error
          })
        } finally {
          await removeTrees(singleIdMap(), [path])
          rmSync(path, { recursive: true, force: true })
        }
      }
    }),
  )
}

test.run()
