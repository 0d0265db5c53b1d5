import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { UnionFs } from '../../src/fs/union-fs.js'
import { indexTar, serializeIndex } from '../../src/layer/index.js'
import type { Contents, PackEntry } from '../../src/layer/pack.js'
import { packTar } from '../../src/layer/pack.js'
import { bytesSource } from '../../src/layer/source.js'
import { digestFromHex } from '../../src/oci/digest.js'
import { openStoredLayer } from '../../src/rootfs/layer-stack.js'
import type { Rootfs } from '../../src/runtime/spec.js'
import type { StoredLayer } from '../../src/store/layer-store.js'

const OWNED_BY_ROOT = { uid: 0, gid: 0, mtimeNs: 1_700_000_000_000_000_000n } as const

/** An entry with what is left out filled in: root's, of 2023, mode 0755 for directories and 0644 for the rest. */
export function packEntry(path: string, entry: Partial<PackEntry> = {}): PackEntry {
  const type = entry.type ?? 'file'
  return { path, type, mode: type === 'directory' ? 0o755 : 0o644, ...OWNED_BY_ROOT, ...entry }
}

/** A file's contents. */
export function contentsOf(content: string | Uint8Array): Contents {
  return bytesSource(Buffer.from(content))
}

/** A regular file of a layer. */
export function packFile(path: string, content: string | Uint8Array, entry: Partial<PackEntry> = {}): PackEntry {
  return packEntry(path, { contents: contentsOf(content), ...entry })
}

/** Keeps the layer of these entries below `folder`, as the store would. */
export function storeLayer(folder: string, entries: Iterable<PackEntry>): StoredLayer {
  return storeTar(folder, Buffer.concat([...packTar(entries)]))
}

/** Keeps a layer's tar below `folder`, as the store would. */
export function storeTar(folder: string, tar: Uint8Array): StoredLayer {
  const diffId = digestFromHex(createHash('sha256').update(tar).digest('hex'))
  const directory = join(folder, 'layers', diffId.slice('sha256:'.length))
  mkdirSync(directory, { recursive: true })
  const layer = { diffId, tarPath: join(directory, 'tar'), indexPath: join(directory, 'index') }
  writeFileSync(layer.tarPath, tar)
  writeFileSync(layer.indexPath, serializeIndex(indexTar(bytesSource(tar))))
  return layer
}

/** A root over stored layers, base first. */
export function storedRootfs(layers: readonly StoredLayer[]): Rootfs {
  let tree: UnionFs | undefined
  return {
    layers,
    tree: () => {
      tree ??= new UnionFs({ lowers: layers.map(openStoredLayer) })
      return tree
    },
  }
}

/** The host's static busybox as a layer: `/bin/busybox`, `/bin/sh`, and a file that can't be executed. */
export function busyboxEntries(): PackEntry[] {
  return [
    packEntry('', { type: 'directory' }),
    packEntry('bin', { type: 'directory' }),
    packFile('bin/busybox', readFileSync('/bin/busybox'), { mode: 0o755 }),
    packEntry('bin/sh', { type: 'symlink', target: 'busybox', mode: 0o777 }),
    packFile('bin/not-executable', 'plain'),
    packEntry('tmp', { type: 'directory', mode: 0o1777 }),
  ]
}
