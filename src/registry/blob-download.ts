import { EngineError } from '../errors.js'
import type { Descriptor } from '../oci/descriptor.js'
import { MAXIMUM_DOCUMENT_BYTES } from '../oci/document.js'
import { digestOf } from '../store/blob-file.js'
import type { RegistryClient } from './client.js'
import { ConnectionError } from './connection-error.js'
import { backOffMs } from './patience.js'
import { aborted, pauseOrAbort, type Repository, type Source } from './session.js'
import type { HttpResponse } from './transport.js'

/** So many bytes earn a new set of attempts: a large blob over a bad line comes through, one byte a connection does not. */
const PROGRESS_BYTES = 1024 * 1024

/** How a download is watched. */
export interface DownloadOptions {
  readonly signal?: AbortSignal | undefined
  /** Told how many bytes have come. */
  readonly progress?: (bytes: number) => void
  /** Gets the mirrors that bytes have come from: when these are not what they should be, others may have it. */
  readonly mirrors?: Set<Source>
}

/**
 * The bytes of a blob: as many as its descriptor says, or an error. A cut or stalled connection is taken up again where it ended. Their
 * digest is the caller's to check. A mirror that breaks off or lies about the length is left for the next. Rejects with DIGEST_MISMATCH for a length that cannot be right, REGISTRY_FAILED, ACCESS_DENIED, ABORTED.
 */
export async function* downloadBlob(
  client: RegistryClient,
  repository: Repository,
  descriptor: Descriptor,
  { signal, progress = () => {}, mirrors = new Set() }: DownloadOptions = {},
): AsyncGenerator<Uint8Array> {
  let offset = 0
  let failures = 0
  let failedAt = 0
  while (offset < descriptor.size) {
    const { response, source } = await client.blob(repository, descriptor.digest, offset, signal)
    if (source.isMirror) mirrors.add(source)
    // Those that come once more are dropped: this registry knows no ranges.
    let repeated = response.status === 206 ? 0 : offset
    try {
      assertLength(response, descriptor, offset)
      for await (const chunk of response.body()) {
        const fresh = chunk.subarray(Math.min(repeated, chunk.length))
        repeated -= chunk.length - fresh.length
        if (fresh.length === 0) continue
        offset += fresh.length
        progress(Math.min(offset, descriptor.size))
        // Also one byte too much: the writer refuses it, by name.
        yield fresh
        if (offset > descriptor.size) return
      }
      if (offset < descriptor.size) throw new ConnectionError('cut', `${offset} of ${descriptor.size} bytes came`)
    } catch (error) {
      response.discard()
      if (signal?.aborted) throw aborted(signal)
      if (source.isMirror && (error instanceof ConnectionError || error instanceof EngineError)) {
        source.avoid()
        continue
      }
      if (!(error instanceof ConnectionError)) throw error
      if (offset - failedAt >= PROGRESS_BYTES) failures = 0
      failedAt = offset
      failures++
      if (failures >= client.patience.attempts)
        throw new EngineError('REGISTRY_FAILED', `the connection to ${repository.domain} broke ${failures} times: ${error.message}`, {
          cause: error,
          hint: 'Try again later.',
          data: { registry: repository.domain, problem: error.problem },
        })
      await pauseOrAbort(client.patience, backOffMs(failures), signal)
    }
  }
}

/** A small blob, checked. Rejects as {@link downloadBlob}, and with LIMIT_EXCEEDED and DIGEST_MISMATCH. */
export async function readBlob(
  client: RegistryClient,
  repository: Repository,
  descriptor: Descriptor,
  { signal }: Pick<DownloadOptions, 'signal'> = {},
): Promise<Uint8Array> {
  const { digest, size } = descriptor
  if (size > MAXIMUM_DOCUMENT_BYTES)
    throw new EngineError('LIMIT_EXCEEDED', `${digest} has ${size} bytes; documents have at most ${MAXIMUM_DOCUMENT_BYTES}`)
  for (;;) {
    const mirrors = new Set<Source>()
    const chunks: Uint8Array[] = []
    for await (const chunk of downloadBlob(client, repository, descriptor, { signal, mirrors })) chunks.push(chunk)
    const bytes = Buffer.concat(chunks)
    const found = digestOf(bytes)
    if (found === digest) return bytes
    if (!avoidAll(mirrors))
      throw new EngineError('DIGEST_MISMATCH', `blob ${digest} of ${repository.domain} has the bytes of ${found}`, {
        hint: 'The image is damaged in the registry, or the registry is at fault.',
        data: { expected: digest, found },
      })
  }
}

/** Has mirrors asked for nothing more; false when there are none. */
export function avoidAll(mirrors: ReadonlySet<Source>): boolean {
  for (const mirror of mirrors) mirror.avoid()
  return mirrors.size > 0
}

/** What the head of the answer says of its length must fit, before a byte of it is taken. */
function assertLength({ status, headers }: HttpResponse, { digest, size }: Descriptor, offset: number): void {
  const range = headers['content-range']
  if (status === 206) {
    const [, start, end, whole] = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(range ?? '') ?? []
    if (Number(start) !== offset || Number(end) >= size || (whole !== '*' && Number(whole) !== size))
      throw new EngineError(
        'DIGEST_MISMATCH',
        `blob ${digest} was asked for from byte ${offset} of ${size} on, but the registry sent ${range}`,
        {
          hint: 'The registry is at fault, or something on the way to it.',
          data: { digest, range },
        },
      )
    return
  }
  const length = headers['content-length']
  if (length !== undefined && Number(length) !== size)
    throw new EngineError('DIGEST_MISMATCH', `blob ${digest} should have ${size} bytes, but the registry says ${length}`, {
      hint: 'The image is damaged in the registry, or the registry is at fault.',
      data: { digest, expected: size, found: length },
    })
}
