/** A tar of a few regular files, the same bytes for the same files: ustar headers, owner 0, time 0 (POSIX pax, "ustar Interchange Format"). */
import { EngineError } from '../errors.js'

/** A file to put into a layer. */
export interface TarFile {
  /** Path in the container, with or without leading slash. */
  readonly path: string
  /** Permission bits, 0o644 unless said. */
  readonly mode?: number
  /** Bytes. */
  readonly size: number
  /** The contents; exactly `size` bytes, or INVALID_ARCHIVE. */
  readonly content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>
}

const BLOCK_BYTES = 512
const MAXIMUM_SIZE = 0o77777777777

/** Bytes of the tar, as they are wanted. Throws UNSAFE_PATH for names that leave the root. */
export async function* fileTar(files: readonly TarFile[]): AsyncGenerator<Uint8Array, void, undefined> {
  for (const file of files) {
    yield encodeHeader(file)
    let size = 0
    for await (const chunk of file.content) {
      size += chunk.length
      if (size > file.size) break
      yield chunk
    }
    if (size !== file.size)
      throw new EngineError('INVALID_ARCHIVE', `${file.path} should have ${file.size} bytes, but has ${size > file.size ? 'more' : size}`)
    yield new Uint8Array(-size & (BLOCK_BYTES - 1))
  }
  yield new Uint8Array(2 * BLOCK_BYTES)
}

function encodeHeader({ path, mode = 0o644, size }: TarFile): Uint8Array {
  if (size > MAXIMUM_SIZE) throw new EngineError('LIMIT_EXCEEDED', `${path} has ${size} bytes; at most 8 GiB fit into a tar of this form`)
  const block = new Uint8Array(BLOCK_BYTES)
  const { name, prefix } = splitName(path)
  const put = (bytes: Uint8Array, offset: number) => block.set(bytes, offset)
  const octal = (value: number, digits: number) => encode(value.toString(8).padStart(digits, '0'))
  put(name, 0)
  put(octal(mode & 0o7777, 7), 100)
  put(octal(0, 7), 108)
  put(octal(0, 7), 116)
  put(octal(size, 11), 124)
  put(octal(0, 11), 136)
  put(encode('        '), 148)
  put(encode('0'), 156)
  put(encode('ustar\x0000'), 257)
  put(prefix, 345)
  // The checksum is the sum of the header's bytes with its own field as spaces.
  put(
    encode(
      `${block
        .reduce((sum, byte) => sum + byte, 0)
        .toString(8)
        .padStart(6, '0')}\0 `,
    ),
    148,
  )
  return block
}

/** The name field holds 100 bytes; before a slash, 155 more go into the prefix. */
function splitName(path: string): { name: Uint8Array; prefix: Uint8Array } {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.')
  if (parts.length === 0 || parts.includes('..') || path.includes('\0'))
    throw new EngineError('UNSAFE_PATH', `${JSON.stringify(path)} is no path of a file in a container`)
  for (let count = 0; count < parts.length; count++) {
    const prefix = encode(parts.slice(0, count).join('/'))
    const name = encode(parts.slice(count).join('/'))
    if (name.length <= 100 && prefix.length <= 155) return { name, prefix }
  }
  throw new EngineError('INVALID_ARGUMENT', `${JSON.stringify(path)} is too long for a layer made of single files (255 bytes)`)
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}
