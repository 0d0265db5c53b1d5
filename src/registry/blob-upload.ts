/**
 * One blob into a repository (distribution-spec, "Pushing blobs"): not at all when it is there, without its bytes when another repository of the
 * registry has it, else as one body. A broken upload is begun anew, after another look whether the registry had taken it all the same.
 */
import { EngineError } from '../errors.js'
import type { Descriptor } from '../oci/descriptor.js'
import { finish, plainText } from './answer.js'
import { assertStatus } from './refusal.js'
import { assertSameDigest, pushScope } from './sent.js'
import { type Answer, type Call, type RegistrySession, type Repository, targetOf } from './session.js'
import type { HttpResponse } from './transport.js'

/** What is uploaded, and how. */
export interface UploadRequest {
  readonly repository: Repository
  readonly blob: Pick<Descriptor, 'digest' | 'size'>
  /** Opens the bytes from their start, for each attempt anew. */
  readonly open: () => Promise<AsyncIterable<Uint8Array>>
  /** Paths of repositories of the same registry that may have it. */
  readonly mountFrom: readonly string[]
  readonly signal: AbortSignal | undefined
  /** Told how many bytes are sent. */
  readonly progress: (bytes: number) => void
}

/** How a blob came to be where it is. */
export type Uploaded = { readonly by: 'existing' | 'upload' } | { readonly by: 'mount'; readonly from: string }

/** Repositories that are tried: each that has not the blob after all leaves an upload behind that nobody finishes. */
const MAXIMUM_MOUNTS = 3

/** Uploads a blob. Rejects with ACCESS_DENIED, REGISTRY_FAILED, DIGEST_MISMATCH, ABORTED, and as `open` does. */
export async function uploadBlob(session: RegistrySession, request: UploadRequest): Promise<Uploaded> {
  const upload = new Upload(request)
  return session.persist(
    request.repository,
    request.signal,
    (send) => upload.exchange(send),
    async (response) => {
      const { repository, blob } = request
      await assertStatus(response, upload.wanted, { name: `blob ${blob.digest}`, repository, isSent: true })
      assertSameDigest(response, blob.digest, `blob ${blob.digest}`)
      await finish(response)
      return upload.outcome
    },
  )
}

/** The requests of one blob, up to the answer that decides. */
class Upload {
  /** What becomes of the blob with {@link wanted} as the status of the last answer. */
  outcome: Uploaded = { by: 'upload' }
  wanted: readonly number[] = []
  readonly #request: UploadRequest

  constructor(request: UploadRequest) {
    this.#request = request
  }

  async exchange(send: (call: Call) => Promise<Answer>): Promise<HttpResponse> {
    const { repository, blob } = this.#request
    this.#expect({ by: 'existing' }, 200)
    const { response: head } = await send(this.#call('HEAD', `/v2/${repository.path}/blobs/${blob.digest}`))
    if (head.status !== 404) return head
    await finish(head)
    const begun = (await this.#mounted(send)) ?? (await send(this.#call('POST', `/v2/${repository.path}/blobs/uploads/`)))
    if (this.outcome.by === 'mount') return begun.response
    this.#expect({ by: 'upload' }, 201, 204)
    if (begun.response.status !== 202) {
      this.#expect({ by: 'upload' }, 202)
      return begun.response
    }
    await finish(begun.response)
    return (await send(this.#put(locationOf(begun, repository)))).response
  }

  /** The answer to a mount, or one that begins an upload instead; null when there is neither. */
  async #mounted(send: (call: Call) => Promise<Answer>): Promise<Answer | null> {
    const { repository, blob, mountFrom } = this.#request
    let begun: Answer | null = null
    for (const from of mountFrom.slice(0, MAXIMUM_MOUNTS)) {
      const query = new URLSearchParams({ mount: blob.digest, from })
      const call = this.#call('POST', `/v2/${repository.path}/blobs/uploads/?${query}`)
      const answer = await send({ ...call, scope: `${call.scope} repository:${from}:pull` }).catch((error: unknown) => {
        // That repository is closed to us: what it has must be sent.
        if (error instanceof EngineError && error.code === 'ACCESS_DENIED') return null
        throw error
      })
      if (answer === null) continue
      if (answer.response.status === 201) {
        this.#expect({ by: 'mount', from }, 201)
        return answer
      }
      if (answer.response.status === 202) begun = answer
      else await finish(answer.response)
    }
    return begun
  }

  #put(location: URL): Call {
    const { blob, open, progress } = this.#request
    const url = new URL(location)
    // Put behind as text: what a registry has signed stays as it wrote it.
    url.search = `${location.search === '' ? '?' : `${location.search}&`}digest=${encodeURIComponent(blob.digest)}`
    const headers = { 'content-type': 'application/octet-stream', 'content-length': String(blob.size) }
    return { ...this.#call('PUT', url), headers, body: { open: async () => counted(await open(), progress) } }
  }

  #call(method: Call['method'], path: string | URL): Call {
    const headers = method === 'POST' ? { 'content-length': '0' } : {}
    return { method, path, scope: pushScope(this.#request.repository), headers, signal: this.#request.signal }
  }

  #expect(outcome: Uploaded, ...wanted: readonly number[]): void {
    this.outcome = outcome
    this.wanted = wanted
  }
}

/** Where an upload goes on. Throws REGISTRY_FAILED for what is none, and for http after https. */
function locationOf({ response, url }: Answer, { domain }: Repository): URL {
  const { location = '' } = response.headers
  const target = location === '' ? null : targetOf(location, url)
  if (target !== null) return target
  throw new EngineError(
    'REGISTRY_FAILED',
    location === ''
      ? `${domain} does not say where an upload goes on`
      : `${domain} wants an upload at ${JSON.stringify(plainText(location))}, where nothing is sent to`,
    {
      hint: 'After https it must go on over https; behind a proxy a registry must be told its own address (X-Forwarded-Proto, `http.host`).',
      data: { location },
    },
  )
}

async function* counted(chunks: AsyncIterable<Uint8Array>, progress: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  let bytes = 0
  for await (const chunk of chunks) {
    yield chunk
    bytes += chunk.length
    progress(bytes)
  }
}
