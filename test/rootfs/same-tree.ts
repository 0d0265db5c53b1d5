/** Layers as the kernel shows them and as our union shows them: one tree. */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import type { ReadonlyFileSystem } from '../../src/fs/file-system.js'
import { listTree } from '../../src/fs/list.js'
import type { IdMap } from '../../src/launcher/id-map.js'
import { type KernelPath, listKernelTree } from '../../src/rootfs/capture.js'
import type { KernelLayers } from '../../src/rootfs/overlay.js'
import { isKeptXattr } from '../../src/rootfs/tree-records.js'
import { ensureTrees } from '../../src/rootfs/write-tree.js'
import type { StoredLayer } from '../../src/store/layer-store.js'
import { storedRootfs } from '../support/stored-layers.js'

/** Directories for these layers below `folder`, written by the launcher. */
export function ensureLayerTrees(folder: string, idMap: IdMap, layers: readonly StoredLayer[]): Promise<KernelLayers> {
  return ensureTrees({ directory: join(folder, 'trees'), idMap, layers, merged: () => storedRootfs(layers).tree() })
}

/** Writes the layers for the kernel and fails unless its overlay of them is our union of them, but for owners under a single id. */
export async function assertSameTree(idMap: IdMap, layers: readonly StoredLayer[], folder: string): Promise<void> {
  const found = await ensureLayerTrees(folder, idMap, layers)
  const ours = listed(storedRootfs(layers).tree())
  const kernels = (await listKernelTree(idMap, { ...found, upper: null })).map(line)
  assert.equal(
    { onlyKernel: kernels.filter((line) => !ours.includes(line)), onlyOurs: ours.filter((line) => !kernels.includes(line)) },
    SAME,
  )
  assert.equal(kernels, ours)
}

const SAME = { onlyKernel: [], onlyOurs: [] }

/** What can be compared of our tree and the kernel's: a device is an empty file to the kernel, and only some xattrs are made. */
function listed(tree: ReadonlyFileSystem): string[] {
  return [...listTree(tree)].map(({ ino, ...path }) =>
    path.device === null
      ? line({ ...path, sha256: path.type === 'file' ? sha256(tree, ino) : null })
      : line({ ...path, device: null, type: 'file', size: 0, sha256: sha256(tree, null) }),
  )
}

/** One path with every attribute, as text. */
function line({ path, type, mode, uid, gid, size, device, target, linkOf, mtimeNs, xattrs, sha256 }: KernelPath): string {
  const kept = [...xattrs].filter(([name]) => isKeptXattr(name)).map(([name, value]) => `${name}=${Buffer.from(value).toString('hex')}`)
  const owner = `${uid}:${gid}`
  return JSON.stringify([path, type, mode.toString(8), owner, size, device, target, linkOf, String(mtimeNs), kept.sort(), sha256])
}

function sha256(tree: ReadonlyFileSystem, ino: number | null): string {
  const hash = createHash('sha256')
  const buffer = new Uint8Array(65_536)
  if (ino !== null)
    for (let position = 0, count = 1; count > 0; position += count) {
      count = tree.read(ino, buffer, position)
      hash.update(buffer.subarray(0, count))
    }
  return hash.digest('hex')
}
