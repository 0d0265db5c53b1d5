import type { ByteString, Ino, ReadonlyFileSystem } from './file-system.js'

/** One layer of an image as a union sees it: a tree, and what it says about the layers below. */
export interface LayerFileSystem extends ReadonlyFileSystem {
  /** Names that this layer takes away from the same directory of lower layers. Never the name of one of its own entries. */
  whiteouts(directory: Ino): ReadonlySet<ByteString>
  /** Whether nothing of lower layers shows through the directory. */
  isOpaque(directory: Ino): boolean
  /** Whether the layer has no entry for the directory itself, only for what is below: its attributes are then the lower layers'. */
  isImplied(directory: Ino): boolean
  /** Names that a file has in this layer, as {@link stat} says it, for less. */
  linkCount?(file: Ino): number
}
