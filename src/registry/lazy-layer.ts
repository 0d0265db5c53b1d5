/**
 * A layer whose contents come when they are read. Its index is made of the table of contents at its end; the contents lie in a sparse file,
 * one chunk after the other, each written where it belongs and counted as there when its digest is right.
 */
import { createHash } from 'node:crypto'
import { closeSync, ftruncateSync, openSync, readSync, writeFileSync, writeSync } from 'node:fs'
import { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { EngineError } from '../errors.js'
import { readEntries } from '../layer/entry.js'
import {
  type Chunk,
  FOOTER_BYTES,
  MAXIMUM_TOC_BYTES,
  readToc,
  type SeekableLayer,
  TOC_DIGEST_ANNOTATION,
  TOC_NAME,
  tocOffset,
} from '../layer/estargz.js'
import { serializeIndex } from '../layer/index.js'
import { decompressionLimits, indexLimits } from '../layer/limits.js'
import { type ByteSource, bytesSource } from '../layer/source.js'
import type { DiffId } from '../oci/digest.js'
import { type LazyContents, MissingContents, type StoredLayer } from '../store/layer-store.js'
import { type BlobPlace, downloadRange } from './blob-range.js'

/** So much of a blob comes at once, where what follows is missing too: a request costs more than these bytes. */
const READ_AHEAD_BYTES = 1024 * 1024
/** What may stand behind the contents in the same gzip member: padding, and headers of files that are empty or follow. */
const BESIDE_BYTES = 16 * 1024 * 1024

/** Where a lazy layer keeps its files; whoever makes it removes them. */
export interface LazyLayerPaths {
  readonly tarPath: string
  readonly indexPath: string
}

/** How a lazy layer's contents are brought. */
export interface LazyLayerOptions {
  /** Ends what is under way. */
  readonly signal: AbortSignal
  /** Told what kept contents away from who reads them. */
  readonly failed?: ((error: unknown) => void) | undefined
}

/** A lazy layer, open. Dispose of it when its signal is aborted. */
export class LazyLayer implements LazyContents, AsyncDisposable {
  readonly #file: number
  readonly #there: Uint8Array
  readonly #coming = new Map<number, Promise<void>>()
  #received = 0

  private constructor(
    private readonly place: BlobPlace,
    private readonly layer: SeekableLayer,
    private readonly paths: LazyLayerPaths,
    private readonly options: LazyLayerOptions,
  ) {
    this.#there = new Uint8Array(layer.chunks.length)
    this.#file = openSync(paths.tarPath, 'wx+', 0o600)
    ftruncateSync(this.#file, layer.size)
  }

  /**
   * Reads the table of contents and makes the layer's files. Null for a layer that has none. Rejects with DIGEST_MISMATCH for a table that is not
   * the manifest's, with INVALID_ARCHIVE, UNSAFE_PATH and LIMIT_EXCEEDED for one that cannot be, and with what the registry has to say.
   */
  static async open(place: BlobPlace, paths: LazyLayerPaths, options: LazyLayerOptions): Promise<LazyLayer | null> {
    const { signal } = options
    const { annotations = {}, size } = place.descriptor
    const expected = annotations[TOC_DIGEST_ANNOTATION]
    if (expected === undefined || size < FOOTER_BYTES) return null
    const start = tocOffset(await collected(downloadRange(place, size - FOOTER_BYTES, size, signal)))
    if (start === null) return null
    if (start >= size || size - start > MAXIMUM_TOC_BYTES)
      throw new EngineError('INVALID_ARCHIVE', `layer ${place.descriptor.digest} has its table of contents at byte ${start} of ${size}`)
    const toc = await readTocEntry(await collected(downloadRange(place, start, size, signal)))
    const found = `sha256:${createHash('sha256').update(toc).digest('hex')}`
    if (found !== expected) throw mismatch(place, 'the table of contents', expected, found)
    const seekable = readToc(toc, start, indexLimits(process.env))
    writeFileSync(paths.indexPath, serializeIndex(seekable.index), { mode: 0o600 })
    return new LazyLayer(place, seekable, paths, options)
  }

  /** Bytes that have come of the contents, as they are compressed. */
  get received(): number {
    return this.#received
  }

  /** As a layer of a stack. */
  stored(diffId: DiffId): StoredLayer {
    return { diffId, ...this.paths, lazy: this }
  }

  async ensure(position: number, length: number): Promise<void> {
    try {
      await this.#ensure(position, length)
    } catch (error) {
      // Of an end that was asked for nobody needs to hear.
      if (!this.options.signal.aborted) this.options.failed?.(error)
      throw error
    }
  }

  async #ensure(position: number, length: number): Promise<void> {
    const { chunks } = this.layer
    for (let number = this.#chunkAt(position); number < chunks.length; number++) {
      const chunk = chunks[number]
      if (chunk === undefined || chunk.offset >= position + length) return
      if (this.#there[number] === 0) await this.#bring(number)
    }
  }

  source(): ByteSource {
    const { layer } = this
    return {
      size: layer.size,
      read: (buffer, position) => {
        const last = Math.min(position + buffer.length, layer.size)
        for (let number = this.#chunkAt(position); number < layer.chunks.length; number++) {
          if ((layer.chunks[number]?.offset ?? last) >= last) break
          if (this.#there[number] === 0) throw new MissingContents(() => this.#bringFileOf(number))
        }
        return readSync(this.#file, buffer, 0, Math.max(0, last - position), position)
      },
      close() {},
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Whoever still writes must not find another file under the number.
    await Promise.allSettled(this.#coming.values())
    closeSync(this.#file)
  }

  /** Number of the chunk that holds a byte. */
  #chunkAt(position: number): number {
    const { chunks } = this.layer
    let low = 0
    let high = chunks.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const { offset = 0, size = 0 } = chunks[middle] ?? {}
      if (offset + size > position) high = middle
      else low = middle + 1
    }
    return low
  }

  async #bringFileOf(number: number): Promise<void> {
    const { chunks, files } = this.layer
    const file = files.find(({ first, end }) => first <= number && number < end)
    for (let each = file?.first ?? number; each < (file?.end ?? number + 1); each++)
      if (this.#there[each] === 0 && chunks[each] !== undefined) await this.#bring(each)
  }

  /** Brings a chunk, with those that stand behind it in the blob. Who wants what is coming waits for it. */
  #bring(number: number): Promise<void> {
    const coming = this.#coming.get(number)
    if (coming !== undefined) return coming
    const run = this.#runFrom(number)
    const bringing = this.#download(run).finally(() => {
      for (const each of run) this.#coming.delete(each)
    })
    for (const each of run) this.#coming.set(each, bringing)
    return bringing
  }

  /** Chunks that come in one request: whole members, one behind the other. */
  #runFrom(number: number): readonly number[] {
    const { chunks } = this.layer
    const first = chunks[number]
    const run: number[] = []
    for (let each = number; each < chunks.length; each++) {
      const chunk = chunks[each]
      const before = chunks[each - 1]
      if (first === undefined || chunk === undefined) break
      const follows =
        each === number || (before !== undefined && (chunk.blobStart === before.blobStart || chunk.blobStart === before.blobEnd))
      const isWanted = this.#there[each] === 0 && !this.#coming.has(each)
      if (!follows || !isWanted || (each !== number && chunk.blobEnd - first.blobStart > READ_AHEAD_BYTES)) break
      run.push(each)
    }
    return run
  }

  async #download(run: readonly number[]): Promise<void> {
    const chunks = run.flatMap((number) => this.layer.chunks[number] ?? [])
    const [first, last] = [chunks[0], chunks.at(-1)]
    if (first === undefined || last === undefined) return
    const bytes = new ExactBytes(downloadRange(this.place, first.blobStart, last.blobEnd, this.options.signal))
    try {
      for (let next = 0; next < chunks.length; ) {
        const start = chunks[next]?.blobStart ?? 0
        const members = chunks.slice(next).filter(({ blobStart }) => blobStart === start)
        const length = (members[0]?.blobEnd ?? start) - start
        await this.#unpack(bytes.take(length), members)
        this.#received += length
        for (let each = 0; each < members.length; each++) this.#there[run[next + each] ?? 0] = 1
        next += members.length
      }
    } finally {
      await bytes.close()
    }
  }

  /** Writes the chunks of some gzip members to their places, and checks them. What stands beside them is padding and headers. */
  async #unpack(compressed: AsyncIterable<Uint8Array>, chunks: readonly Chunk[]): Promise<void> {
    const hashes = chunks.map(() => createHash('sha256'))
    const end = Math.max(...chunks.map(({ skip, size }) => skip + size))
    let at = 0
    const source = Readable.from(compressed)
    const gunzip = createGunzip()
    source.on('error', (error) => gunzip.destroy(error))
    try {
      for await (const piece of source.pipe(gunzip) as AsyncIterable<Uint8Array>) {
        for (const [place, { skip, size, offset }] of chunks.entries()) {
          const from = Math.max(skip, at)
          const to = Math.min(skip + size, at + piece.length)
          if (from >= to) continue
          const part = piece.subarray(from - at, to - at)
          hashes[place]?.update(part)
          writeAt(this.#file, part, offset + from - skip)
        }
        at += piece.length
        if (at > end + BESIDE_BYTES)
          throw new EngineError('LIMIT_EXCEEDED', `layer ${this.place.descriptor.digest} unpacks to more than its table of contents says`, {
            data: { layer: this.place.descriptor.digest, limit: BESIDE_BYTES },
          })
      }
    } catch (error) {
      throw error instanceof EngineError
        ? error
        : mismatch(this.place, 'a part', 'gzip', String((error as NodeJS.ErrnoException).code ?? error))
    } finally {
      source.destroy()
    }
    for (const [place, { digest }] of chunks.entries()) {
      const found = `sha256:${hashes[place]?.digest('hex')}`
      if (found !== digest) throw mismatch(this.place, 'a part', digest, found)
    }
  }
}

/** A stream that is read so many bytes at a time, each part to its end. */
class ExactBytes {
  readonly #stream: AsyncGenerator<Uint8Array>
  #rest: Uint8Array = new Uint8Array(0)

  constructor(stream: AsyncGenerator<Uint8Array>) {
    this.#stream = stream
  }

  async *take(length: number): AsyncGenerator<Uint8Array> {
    for (let missing = length; missing > 0; ) {
      if (this.#rest.length === 0) {
        const { value, done } = await this.#stream.next()
        if (done === true) return
        this.#rest = value
      }
      const piece = this.#rest.subarray(0, missing)
      this.#rest = this.#rest.subarray(piece.length)
      missing -= piece.length
      yield piece
    }
  }

  async close(): Promise<void> {
    await this.#stream.return(undefined)
  }
}

function writeAt(file: number, bytes: Uint8Array, position: number): void {
  for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written, bytes.length - written, position + written)
}

async function collected(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const pieces: Uint8Array[] = []
  for await (const piece of stream) pieces.push(piece)
  return Buffer.concat(pieces)
}

/** The table, out of the tar within a gzip member. Bounded, whatever it claims. */
async function readTocEntry(compressed: Uint8Array): Promise<Uint8Array> {
  const limits = decompressionLimits(process.env)
  const most = Math.min(limits.maximumBytes, Math.max(limits.freeBytes, compressed.length * limits.maximumRatio))
  const pieces: Uint8Array[] = []
  let size = 0
  try {
    for await (const piece of Readable.from([compressed]).pipe(createGunzip()) as AsyncIterable<Uint8Array>) {
      size += piece.length
      if (size > most)
        throw new EngineError('LIMIT_EXCEEDED', `the layer's table of contents unpacks to more than ${most} bytes`, {
          data: { limit: most },
        })
      pieces.push(piece)
    }
  } catch (cause) {
    if (cause instanceof EngineError) throw cause
    throw new EngineError('INVALID_ARCHIVE', "the layer's table of contents is no gzip", { cause })
  }
  const tar = Buffer.concat(pieces)
  for (const { name, segments } of readEntries(bytesSource(tar), indexLimits(process.env))) {
    const [segment] = segments
    if (name === TOC_NAME && segment !== undefined) return tar.subarray(segment.offset, segment.offset + segment.length)
  }
  throw new EngineError('INVALID_ARCHIVE', `the layer's table of contents holds no ${TOC_NAME}`)
}

function mismatch({ descriptor }: BlobPlace, what: string, expected: string, found: string): EngineError {
  return new EngineError('DIGEST_MISMATCH', `${what} of layer ${descriptor.digest} should be ${expected}, but is ${found}`, {
    hint: 'The image is damaged in the registry, or the registry is at fault.',
    data: { layer: descriptor.digest, expected, found },
  })
}
