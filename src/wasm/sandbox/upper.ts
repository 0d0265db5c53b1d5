import { EngineError } from '../../errors.js'
import type { UnionFs } from '../../fs/union-fs.js'
import { packTar } from '../../layer/pack.js'
import { changedEntries } from '../../layer/pack-tree.js'
import { writeAll } from './output.js'

/**
 * Writes what a guest has changed as a layer's tar (image-spec, layer.md) to an inherited descriptor. Throws LIMIT_EXCEEDED before it
 * writes more than `maximumBytes`.
 */
export function writeUpper(union: UnionFs, descriptor: number, maximumBytes: number): void {
  let written = 0
  for (const piece of packTar(changedEntries(union))) {
    written += piece.length
    if (written > maximumBytes) throw new EngineError('LIMIT_EXCEEDED', `as a layer they take more than ${maximumBytes} bytes`)
    writeAll(descriptor, piece)
  }
}
