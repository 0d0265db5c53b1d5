import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs'
import type { ByteSource } from './source.js'

/** The same as {@link openFileSource} for a path, but the file is opened when it is first read: of most layers only the index is. */
export function fileSourceWhenRead(path: string): ByteSource {
  let source: ByteSource | undefined
  const opened = () => (source ??= openFileSource(path))
  return {
    get size() {
      return source?.size ?? statSync(path).size
    },
    read: (buffer, position) => opened().read(buffer, position),
    close: () => source?.close(),
  }
}

/**
 * A source over a file, given by path or as an open descriptor. A path is opened and closed by the source; a descriptor stays the
 * caller's. Throws what Node throws when it can't be opened.
 */
export function openFileSource(file: string | number): ByteSource {
  let descriptor = typeof file === 'number' ? file : openSync(file, 'r')
  const owned = typeof file === 'string'
  return {
    size: fstatSync(descriptor).size,
    read(buffer, position) {
      let filled = 0
      while (filled < buffer.length) {
        const count = readSync(descriptor, buffer, filled, buffer.length - filled, position + filled)
        if (count === 0) break
        filled += count
      }
      return filled
    },
    close() {
      if (owned && descriptor >= 0) closeSync(descriptor)
      descriptor = -1
    },
  }
}
