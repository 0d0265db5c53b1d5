import { EngineError } from '../errors.js'
import type { Descriptor } from '../oci/descriptor.js'
import type { RegistryClient } from './client.js'
import { ConnectionError } from './connection-error.js'
import { backOffMs } from './patience.js'
import { assertPlain, assertStatus } from './refusal.js'
import { aborted, pauseOrAbort, type Repository } from './session.js'
import type { HttpResponse } from './transport.js'

/** Where a part of a blob is had from. */
export interface BlobPlace {
  readonly client: RegistryClient
  readonly repository: Repository
  readonly descriptor: Descriptor
}

/**
 * Bytes `start` to `end` of a blob, `end` not included; all of them, or an error. A connection that is cut in between is taken up again. Their
 * digest is the caller's to check. Rejects with REGISTRY_FAILED, ACCESS_DENIED, IMAGE_NOT_FOUND, DIGEST_MISMATCH, ABORTED.
 */
export async function* downloadRange(
  { client, repository, descriptor }: BlobPlace,
  start: number,
  end: number,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let offset = start
  for (let failures = 0; offset < end; ) {
    const response = await askRange({ client, repository, descriptor }, offset, end, signal)
    try {
      for await (const piece of response.body()) {
        const wanted = piece.subarray(0, end - offset)
        offset += wanted.length
        yield wanted
        if (offset === end) return response.discard()
      }
      throw new ConnectionError('cut', `${offset - start} of ${end - start} bytes came`)
    } catch (error) {
      response.discard()
      if (signal?.aborted) throw aborted(signal)
      if (!(error instanceof ConnectionError)) throw error
      if (++failures >= client.patience.attempts)
        throw new EngineError('REGISTRY_FAILED', `the connection to ${repository.domain} broke ${failures} times: ${error.message}`, {
          cause: error,
          hint: 'Try again later.',
          data: { registry: repository.domain, problem: error.problem },
        })
      await pauseOrAbort(client.patience, backOffMs(failures), signal)
    }
  }
}

async function askRange(
  { client, repository, descriptor: { digest, size } }: BlobPlace,
  start: number,
  end: number,
  signal: AbortSignal | undefined,
): Promise<HttpResponse> {
  const call = {
    method: 'GET' as const,
    path: `/v2/${repository.path}/blobs/${digest}`,
    scope: `repository:${repository.path}:pull`,
    headers: { 'accept-encoding': 'identity', range: `bytes=${start}-${end - 1}` },
    signal,
  }
  return client.session.ask(repository, call, async (response) => {
    await assertStatus(response, [200, 206], { name: `blob ${digest}`, repository })
    assertPlain(response)
    const [, first, last, whole] = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(response.headers['content-range'] ?? '') ?? []
    if (response.status === 206 && Number(first) === start && Number(last) < end && (whole === '*' || Number(whole) === size))
      return response
    response.discard()
    throw new EngineError(
      'REGISTRY_FAILED',
      response.status === 200
        ? `${repository.domain} knows no ranges of blobs, so that nothing can be read before it is all here`
        : `blob ${digest} was asked for from byte ${start} to ${end}, but the registry sent ${response.headers['content-range']}`,
      { hint: 'Pull the image whole: leave --lazy out.', data: { digest } },
    )
  })
}
