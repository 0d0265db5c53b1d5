import { ErrnoError } from './errno.js'
import type { ReadonlyFileSystem } from './file-system.js'
import { fromUtf8 } from './names.js'
import { resolve, rootHandle } from './resolve.js'

/** Text of a file of the tree, symlinks followed inside it, at most `maximumBytes` of it; empty when there is no such file. */
export function readTextFile(tree: ReadonlyFileSystem, path: string, maximumBytes: number): string {
  try {
    const { fs, ino, type } = resolve(rootHandle(tree), fromUtf8(path), { followLast: true })
    if (ino === undefined || type !== 'file') return ''
    const bytes = new Uint8Array(Math.min(fs.stat(ino).size, maximumBytes))
    const length = fs.read(ino, bytes, 0)
    return new TextDecoder().decode(bytes.subarray(0, length))
  } catch (error) {
    if (error instanceof ErrnoError) return ''
    throw error
  }
}
