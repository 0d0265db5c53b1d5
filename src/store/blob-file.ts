/**
 * One blob on disk. A blob's file is complete and never changes: it is written under another name, hashed on the way, flushed
 * to the disk, and only then gets its name.
 */
import { createHash } from 'node:crypto'
import { closeSync, createReadStream } from 'node:fs'
import { type FileHandle, open, rm } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { EngineError } from '../errors.js'
import type { Descriptor } from '../oci/descriptor.js'
import { type Digest, digestFromHex } from '../oci/digest.js'
import { MAXIMUM_DOCUMENT_BYTES } from '../oci/document.js'
import { openPlainFile, type PlainFile, readPlainFile } from './plain-file.js'

/** Bytes as they come: a Node stream is one. */
export type ByteStream = AsyncIterable<Uint8Array> | Iterable<Uint8Array>

/** What is known of a blob before its bytes have come. */
export interface ExpectedBlob {
  readonly digest?: Digest
  readonly size?: number
}

/** What came: the digest and the count of bytes. */
export interface WrittenBlob {
  readonly digest: Digest
  readonly size: number
}

/** sha256 of `bytes`. */
export function digestOf(bytes: Uint8Array | string): Digest {
  return digestFromHex(createHash('sha256').update(bytes).digest('hex'))
}

/** Options of {@link writeBlobFile}. */
export interface WriteOptions {
  readonly signal?: AbortSignal | undefined
  /** Flush to the disk before it resolves: for what is to be kept. */
  readonly flush: boolean
}

/**
 * Writes a new file and compares it with what is expected to the last byte. Reads no further than the
 * expected size. On any error the file is gone. Throws DIGEST_MISMATCH.
 */
export async function writeBlobFile(
  path: string,
  source: ByteStream,
  expected: ExpectedBlob,
  { signal, flush }: WriteOptions,
): Promise<WrittenBlob> {
  const file = await open(path, 'wx', 0o600)
  try {
    const written = await copyHashing(file, source, expected, signal)
    await file.chmod(0o400)
    if (flush) await file.sync()
    await file.close()
    return written
  } catch (error) {
    await file.close().catch(() => {})
    await rm(path, { force: true })
    throw error
  }
}

async function copyHashing(file: FileHandle, source: ByteStream, expected: ExpectedBlob, signal?: AbortSignal): Promise<WrittenBlob> {
  const hash = createHash('sha256')
  let size = 0
  for await (const chunk of signal === undefined ? source : untilAborted(source, signal)) {
    size += chunk.length
    if (expected.size !== undefined && size > expected.size) throw wrongSize(expected, `more than ${expected.size}`)
    hash.update(chunk)
    await writeAll(file, chunk)
  }
  if (expected.size !== undefined && size !== expected.size) throw wrongSize(expected, size)
  const digest = digestFromHex(hash.digest('hex'))
  if (expected.digest !== undefined && digest !== expected.digest)
    throw new EngineError('DIGEST_MISMATCH', `a blob should be ${expected.digest}, but its bytes are ${digest}`, {
      hint: 'The archive is damaged or was changed: fetch or make it again.',
      data: { expected: expected.digest, found: digest },
    })
  return { digest, size }
}

/** The source's bytes; ABORTED as soon as the signal says so, even while a source such as a terminal has nothing to give. */
async function* untilAborted(source: ByteStream, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]()
  // Not a race with one promise for all pieces: that one would hold every piece until the end.
  let interrupt: (error: EngineError) => void = () => {}
  const abort = () => interrupt(new EngineError('ABORTED', 'stopped before everything had come', { cause: signal.reason }))
  signal.addEventListener('abort', abort, { once: true })
  let ended = false
  try {
    while (!ended) {
      const next = await new Promise<IteratorResult<Uint8Array>>((resolve, reject) => {
        interrupt = reject
        if (signal.aborted) return abort()
        Promise.resolve(iterator.next()).then(resolve, reject)
      })
      if (next.done) ended = true
      else yield next.value
    }
  } finally {
    signal.removeEventListener('abort', abort)
    // Not waited for: a source that waits for its own next piece would not answer.
    if (!ended) void Promise.resolve(iterator.return?.()).catch(() => {})
  }
}

async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let offset = 0; offset < chunk.length; ) offset += (await file.write(chunk, offset, chunk.length - offset)).bytesWritten
}

/** Opens a blob's file for reading, from its start unless said. Throws INVALID_IMAGE when its size is not the descriptor's, or when it is no file. */
export async function openBlobFile(path: string, descriptor: Descriptor, start = 0): Promise<Readable> {
  const { descriptor: file, stat } = openExisting(path, descriptor)
  if (stat.size !== descriptor.size) {
    closeSync(file)
    throw wrongSize(descriptor, stat.size)
  }
  return createReadStream('', { fd: file, start, highWaterMark: 1 << 18 })
}

function openExisting(path: string, descriptor: Descriptor): PlainFile {
  try {
    return openPlainFile(path)
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'ENOENT' ? missingBlob(descriptor) : error
  }
}

/** Reads a small blob whole and checks its size and digest. */
export async function readBlobFile(path: string, descriptor: Descriptor): Promise<Uint8Array> {
  if (descriptor.size > MAXIMUM_DOCUMENT_BYTES)
    throw new EngineError(
      'INVALID_IMAGE',
      `${descriptor.digest} has ${descriptor.size} bytes; documents have at most ${MAXIMUM_DOCUMENT_BYTES}`,
    )
  const bytes = readSmall(path, descriptor)
  const found = digestOf(bytes)
  if (found !== descriptor.digest)
    throw new EngineError('DIGEST_MISMATCH', `a blob should be ${descriptor.digest}, but its bytes are ${found}`, {
      hint: 'The store is damaged: `wolffia system check --repair` takes out what is, and then the image can be loaded again.',
      data: { expected: descriptor.digest, found },
    })
  return bytes
}

/** At once: two such reads come before every start, and each takes longer on its way through the thread pool than on the disk. */
function readSmall(path: string, descriptor: Descriptor): Buffer {
  try {
    const bytes = readPlainFile(path, MAXIMUM_DOCUMENT_BYTES)
    if (bytes.length !== descriptor.size) throw wrongSize(descriptor, bytes.length)
    return bytes
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'ENOENT' ? missingBlob(descriptor) : error
  }
}

/** The error for a blob that nobody has. */
export function missingBlob({ digest, mediaType }: Pick<Descriptor, 'digest' | 'mediaType'>): EngineError {
  return new EngineError('INVALID_IMAGE', `blob ${digest} (${mediaType}) is missing`, {
    hint: 'The archive or store does not hold the whole image: make it again with all its layers.',
    data: { digest },
  })
}

function wrongSize({ digest, size }: ExpectedBlob, found: number | string): EngineError {
  return new EngineError(
    'DIGEST_MISMATCH',
    `${digest === undefined ? 'a blob' : `blob ${digest}`} should have ${size} bytes, but has ${found}`,
    {
      hint: 'The archive is damaged or was changed: fetch or make it again.',
      data: { digest, expected: size, found },
    },
  )
}
