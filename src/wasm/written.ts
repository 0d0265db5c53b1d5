import { readFileSync } from 'node:fs'
import { UnionFs } from '../fs/union-fs.js'
import { openFileSource } from '../layer/file-source.js'
import { parseIndex } from '../layer/index.js'
import { PackedLayer } from '../layer/packed-layer.js'
import { type WritableLayer, writableLayer } from '../runtime/writable-layer.js'
import type { KeptTreeParts } from './kept-tree.js'
import { touchedPaths } from './touched-paths.js'
import type { KeptLayer } from './uppers.js'

/** What the layers that a container's runs have left make of its image's. */
export function keptChanges(image: readonly KeptLayer[], kept: readonly KeptLayer[]): WritableLayer {
  const opened = openKept(image, kept)
  try {
    return writableLayer(opened.before, opened.touched)
  } finally {
    opened.close()
  }
}

/** Layers of an image and those that a container's runs have left, open. */
export interface OpenedKept extends KeptTreeParts {
  close(): void
}

/** Opens them. */
export function openKept(image: readonly KeptLayer[], kept: readonly KeptLayer[]): OpenedKept {
  const layers: PackedLayer[] = []
  const close = () => {
    for (const layer of layers) layer.close()
  }
  try {
    for (const layer of [...image, ...kept]) layers.push(openLayer(layer))
    const before = new UnionFs({ lowers: layers.slice(0, image.length) })
    const after = new UnionFs({ lowers: layers })
    return { before, after, touched: touchedPaths(before, layers.slice(image.length), after), close }
  } catch (error) {
    close()
    throw error
  }
}

function openLayer({ tarPath, indexPath }: KeptLayer): PackedLayer {
  return new PackedLayer(parseIndex(readFileSync(indexPath)), openFileSource(tarPath))
}
