import { EngineError } from '../errors.js'
import { fromUtf8 } from '../fs/names.js'
import { packTar } from '../layer/pack.js'
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

/** A tar of a few regular files: owner 0, time 0, so the same bytes for the same files. Throws UNSAFE_PATH for names that leave the root. */
export function* fileTar(files: Iterable<TarFile>): Generator<Uint8Array, void, undefined> {
  const entries = function* () {
    for (const { path, mode = 0o644, contents: open } of files) {
      const contents = open()
      try {
        yield { path: fromUtf8(entryPath(path)), type: 'file', mode, uid: 0, gid: 0, mtimeNs: 0n, contents } as const
      } finally {
        contents.close()
      }
    }
  }
  yield* packTar(entries())
}

function entryPath(path: string): string {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.')
  if (parts.length === 0 || parts.includes('..') || path.includes('\0'))
    throw new EngineError('UNSAFE_PATH', `${JSON.stringify(path)} is no path of a file in a container`)
  return parts.join('/')
}
