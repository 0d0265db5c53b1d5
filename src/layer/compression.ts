import { type Duplex, Readable } from 'node:stream'
import * as zlib from 'node:zlib'
import { Decompress } from 'fzstd'
import { EngineError, messageOf } from '../errors.js'
import { gzipInPieces } from './compression-gzip.js'
import { DEFAULT_DECOMPRESSION_LIMITS, type DecompressionLimits, limitExceeded } from './limits.js'
import { ZstdFrames } from './zstd-frames.js'

/** How a layer's tar is packed (image-spec: `tar`, `tar+gzip`, `tar+zstd`). */
export type Compression = 'none' | 'gzip' | 'zstd'

/** Bytes that {@link detectCompression} wants to see. */
export const MAGIC_BYTES = 4

/** What `head`, the first bytes, are packed with, by their magic number; the media type is not asked. */
export function detectCompression(head: Uint8Array): Compression {
  if (head[0] === 0x1f && head[1] === 0x8b) return 'gzip'
  const little = (head[0] ?? 0) | ((head[1] ?? 0) << 8) | ((head[2] ?? 0) << 16)
  // A zstd frame, or one of the skippable frames that may come first.
  if ((little === 0x2f_b528 && head[3] === 0xfd) || ((little & 0xff_fff0) === 0x4d_2a50 && head[3] === 0x18)) return 'zstd'
  return 'none'
}

/**
 * The bytes that `input` was made from, whichever way it was packed. Ends with INVALID_ARCHIVE when `input` is broken or ends too soon,
 * with LIMIT_EXCEEDED when it becomes more than `limits` allow: its own, or those of a meter that several inputs share. Destroying the result
 * destroys a Readable `input`.
 */
export function decompress(input: AsyncIterable<Uint8Array>, limits: Partial<DecompressionLimits> | DecompressionMeter = {}): Readable {
  return Readable.from(decompressed(input, limits instanceof DecompressionMeter ? limits : new DecompressionMeter(limits)), {
    objectMode: false,
  })
}

async function* decompressed(input: AsyncIterable<Uint8Array>, meter: DecompressionMeter): AsyncGenerator<Uint8Array> {
  const { head, chunks } = await peek(input)
  const compression = detectCompression(head)
  const counted = meter.counted(chunks)
  try {
    for await (const chunk of decode(compression, counted)) yield meter.pass(chunk)
  } catch (cause) {
    if (!isDecodingError(cause)) throw cause
    throw new EngineError('INVALID_ARCHIVE', `the layer is broken ${compression}: ${messageOf(cause)}`, { cause })
  }
}

function decode(compression: Compression, chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  if (compression === 'none') return chunks
  if (compression === 'gzip') return through(zlib.createGunzip(), chunks)
  const frames = inspected(chunks)
  return nativeZstd === undefined ? decodeZstd(frames) : through(nativeZstd(), frames)
}

/** What no decoder is asked to judge: immense windows, and bytes after the last frame, which Node's own passes over. */
async function* inspected(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const frames = new ZstdFrames()
  for await (const chunk of chunks) {
    frames.inspect(chunk)
    yield chunk
  }
  frames.end()
}

/** Counts both sides of one input, or of all that are given the same meter, and stops at a limit. */
export class DecompressionMeter {
  readonly #limits: DecompressionLimits
  #compressedBytes = 0
  #bytes = 0

  constructor(limits: Partial<DecompressionLimits> = {}) {
    this.#limits = { ...DEFAULT_DECOMPRESSION_LIMITS, ...limits }
  }

  /** The chunks, counted as compressed ones. */
  async *counted(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      this.#compressedBytes += chunk.length
      yield chunk
    }
  }

  /** Counts a chunk that came out. Throws LIMIT_EXCEEDED. */
  pass(chunk: Uint8Array): Uint8Array {
    const { maximumBytes, maximumRatio, freeBytes } = this.#limits
    this.#bytes += chunk.length
    if (this.#bytes > maximumBytes)
      throw limitExceeded(`the layers hold more than ${maximumBytes} bytes uncompressed`, 'WOLFFIA_ARCHIVE_BYTES', { limit: maximumBytes })
    if (this.#bytes > freeBytes && this.#bytes > this.#compressedBytes * maximumRatio)
      throw limitExceeded(`the layers unpack to more than ${maximumRatio} times their size`, 'WOLFFIA_ARCHIVE_RATIO', {
        limit: maximumRatio,
      })
    return chunk
  }
}

async function peek(input: AsyncIterable<Uint8Array>): Promise<{ head: Uint8Array; chunks: AsyncIterable<Uint8Array> }> {
  const iterator = input[Symbol.asyncIterator]()
  let head: Uint8Array = new Uint8Array()
  let ended = false
  while (head.length < MAGIC_BYTES && !ended) {
    const next = await iterator.next()
    if (next.done) ended = true
    else head = head.length === 0 ? next.value : Buffer.concat([head, next.value])
  }
  const rest = async function* () {
    try {
      if (head.length > 0) yield head
      while (!ended) {
        const next = await iterator.next()
        if (next.done) ended = true
        else yield next.value
      }
    } finally {
      if (!ended) await iterator.return?.()
    }
  }
  return { head, chunks: rest() }
}

/** Packs bytes; the same bytes with the same Node become the same. Throws UNSUPPORTED_BY_HOST for zstd where Node has none (before 22.15). */
export function compress(input: AsyncIterable<Uint8Array>, compression: Compression): AsyncIterable<Uint8Array> {
  if (compression === 'none') return input
  if (compression === 'gzip') return gzipInPieces(input)
  const { createZstdCompress } = zlib as NativeZstd
  if (createZstdCompress === undefined)
    throw new EngineError('UNSUPPORTED_BY_HOST', `Node ${process.versions.node} cannot write zstd`, {
      hint: 'Use gzip, or a Node from 22.15 on.',
    })
  return through(createZstdCompress(), input)
}

interface NativeZstd {
  readonly createZstdCompress?: () => Duplex
  readonly createZstdDecompress?: () => Duplex
  readonly zstdDecompressSync?: (bytes: Uint8Array) => Uint8Array
}

/** A whole frame of one byte. */
const TINY_FRAME = [0x28, 0xb5, 0x2f, 0xfd, 0x20, 1, 9, 0, 0, 0x61]

/** Node has a decoder of its own from 22.15 on; those of 22 and 24 end silently after the first frame and are not used. */
const nativeZstd = (() => {
  const { createZstdDecompress, zstdDecompressSync } = zlib as NativeZstd
  const goesOn = zstdDecompressSync?.(Uint8Array.from([...TINY_FRAME, ...TINY_FRAME])).length === 2
  return goesOn ? createZstdDecompress : undefined
})()

// Four compressed bytes may become 128 KiB, so the package gets little at a time.
const ZSTD_PIECE_BYTES = 1024

async function* decodeZstd(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let decoded: Uint8Array[] = []
  const decompressor = new Decompress((chunk) => decoded.push(chunk))
  const push = (piece: Uint8Array, final: boolean) => {
    decoded = []
    decompressor.push(piece, final)
    // Blocks of no bytes are legal and nothing to hand on.
    return decoded.filter(({ length }) => length > 0)
  }
  for await (const chunk of chunks)
    for (let start = 0; start < chunk.length; start += ZSTD_PIECE_BYTES) yield* push(chunk.subarray(start, start + ZSTD_PIECE_BYTES), false)
  yield* push(new Uint8Array(), true)
}

async function* through(codec: Duplex, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const source = Readable.from(chunks, { objectMode: false })
  source.on('error', (error) => codec.destroy(error))
  source.pipe(codec)
  try {
    yield* codec
  } finally {
    source.destroy()
    codec.destroy()
  }
}

// zlib's errors have codes of their own (Z_DATA_ERROR, ZSTD_error_…), the package's have numbers; those of the input stay what they are.
function isDecodingError(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'number' || (typeof code === 'string' && /^(Z_|ZSTD_)/.test(code)) || error instanceof RangeError
}
