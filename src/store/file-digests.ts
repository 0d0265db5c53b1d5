import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type Digest, digestFromHex } from '../oci/digest.js'
import { openPlainFile } from './plain-file.js'

/** Digests of files, each file read once: whatever names it has, and however often it is asked for as long as it does not change. */
export class FileDigests {
  readonly #known = new Map<string, Promise<Digest>>()
  /** Files that were read, and their bytes. */
  files = 0
  bytes = 0

  /** Throws INVALID_IMAGE where there is no regular file, and what Node throws where there is nothing. */
  async of(path: string): Promise<Digest> {
    const { descriptor, stat } = openPlainFile(path)
    const stream = createReadStream('', { fd: descriptor, start: 0, highWaterMark: 1 << 20 })
    const key = [stat.dev, stat.ino, stat.size, stat.mtimeMs].join(':')
    const known = this.#known.get(key)
    if (known !== undefined) {
      stream.destroy()
      return known
    }
    const digest = hashOf(stream)
    this.#known.set(key, digest)
    this.files++
    this.bytes += stat.size
    digest.catch(() => this.#known.delete(key))
    return digest
  }
}

async function hashOf(stream: AsyncIterable<Uint8Array>): Promise<Digest> {
  const hash = createHash('sha256')
  for await (const chunk of stream) hash.update(chunk)
  return digestFromHex(hash.digest('hex'))
}
