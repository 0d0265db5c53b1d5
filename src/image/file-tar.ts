import { once } from 'node:events'
import { type Pack, pack } from 'tar-stream'
import { EngineError } from '../errors.js'
import type { ByteSource } from '../layer/source.js'

/** A file to put into a layer. */
export interface TarFile {
  /** Path in the container, with or without leading slash. */
  readonly path: string
  /** Permission bits, 0o644 unless said. */
  readonly mode?: number
  /** Opened when it is written, and closed after. */
  readonly contents: () => ByteSource
}

const CHUNK_BYTES = 1 << 16

/**
 * A tar of a few regular files: owner 0, time 0, so the same bytes for the same files. Packed by tar-stream, which has all that plain
 * files with UTF-8 names need; trees with attributes of every kind are `layer/pack`'s. Throws UNSAFE_PATH for names that leave the root.
 */
export async function* fileTar(files: Iterable<TarFile>): AsyncGenerator<Uint8Array, void, undefined> {
  const tar = pack()
  const writing = writeFiles(tar, files).catch((error: Error) => tar.destroy(error))
  yield* tar as AsyncIterable<Uint8Array>
  await writing
}

async function writeFiles(tar: Pack, files: Iterable<TarFile>): Promise<void> {
  for (const { path, mode = 0o644, contents: open } of files) {
    const name = entryPath(path)
    const contents = open()
    try {
      const entry = tar.entry({ name, mode, size: contents.size, uid: 0, gid: 0, mtime: new Date(0), type: 'file' })
      // A reader that has gone destroys the entry too, and its drain never comes.
      const gone = once(entry, 'close')
      for (let position = 0; position < contents.size && !entry.destroyed; ) {
        const chunk = new Uint8Array(Math.min(CHUNK_BYTES, contents.size - position))
        const count = contents.read(chunk, position)
        if (count === 0) throw new EngineError('INTERNAL', `${path} became shorter while it was packed`)
        if (!entry.write(Buffer.from(chunk.buffer, 0, count))) await Promise.race([once(entry, 'drain'), gone])
        position += count
      }
      entry.end(null)
      await gone
    } finally {
      contents.close()
    }
  }
  tar.finalize()
}

function entryPath(path: string): string {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.')
  if (parts.length === 0 || parts.includes('..') || path.includes('\0'))
    throw new EngineError('UNSAFE_PATH', `${JSON.stringify(path)} is no path of a file in a container`)
  return parts.join('/')
}
