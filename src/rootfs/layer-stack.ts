import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { ByteString, Ino } from '../fs/file-system.js'
import { openFileSource } from '../layer/file-source.js'
import { parseIndex } from '../layer/index.js'
import { PackedLayer } from '../layer/packed-layer.js'
import type { StoredLayer } from '../store/layer-store.js'
import { below } from './tree-records.js'

/** A layer of the store, open. The caller closes it. */
export function openStoredLayer({ indexPath, tarPath }: StoredLayer): PackedLayer {
  return new PackedLayer(parseIndex(readFileSync(indexPath)), openFileSource(tarPath))
}

/** One name for a stack of layers in this order; never the name of a layer. */
export function stackName(layers: readonly StoredLayer[]): string {
  const hash = createHash('sha256')
  for (const { diffId } of layers) hash.update(`${diffId}\n`)
  return `stack-${hash.digest('hex')}`
}

/**
 * Directories of a layer that need an entry above it, so that the kernel's overlay shows what the union shows: those that the layer names
 * only as parents of others, whose attributes are the lower layers' and not the defaults they get on disk; and those with whiteouts in them,
 * which overlay hides only where it merges.
 */
export function* directoriesToRestate(layer: PackedLayer): Generator<ByteString> {
  const pending: { readonly ino: Ino; readonly path: ByteString }[] = [{ ino: layer.root, path: '' }]
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    const { ino, path } = directory
    if (path !== '' && (layer.isImplied(ino) || layer.whiteouts(ino).size > 0)) yield path
    for (const entry of layer.readdir(ino)) if (entry.type === 'directory') pending.push({ ino: entry.ino, path: below(path, entry.name) })
  }
}
