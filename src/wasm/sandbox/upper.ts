import type { UnionFs } from '../../fs/union-fs.js'
import { packTar } from '../../layer/pack.js'
import { changedEntries } from '../../layer/pack-tree.js'
import { writeAll } from './output.js'

/** Writes what a guest has changed as a layer's tar (image-spec, layer.md) to an inherited descriptor. */
export function writeUpper(union: UnionFs, descriptor: number): void {
  for (const piece of packTar(changedEntries(union))) writeAll(descriptor, piece)
}
