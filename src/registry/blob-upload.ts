/**
 * One blob into a repository (distribution-spec, "Pushing blobs"): not at all when it is there, without its bytes when another repository of the
 * registry has it, else as one body, or in pieces where the registry asks for them. After a broken connection it goes on where the registry says
 * that it has got to; one that says nothing of the kind gets it anew, after another look whether it had taken it all the same.
 */
import { EngineError } from '../errors.js'
import type { Descriptor } from '../oci/descriptor.js'
import { finish, plainText } from './answer.js'
import { assertStatus } from './refusal.js'
import { assertSameDigest, pushScope } from './sent.js'
import { type Answer, type Call, type RegistrySession, type Repository, targetOf } from './session.js'
import type { HttpResponse } from './transport.js'
import { type OpenFrom, piece, receivedBytes, wantedPiece } from './upload-piece.js'

/** Where a blob is to be. */
export interface PlaceRequest {
  readonly repository: Repository
  readonly blob: Pick<Descriptor, 'digest' | 'size'>
  /** Paths of repositories of the same registry that may have it. */
  readonly mountFrom: readonly string[]
  readonly signal: AbortSignal | undefined
}

/** What is uploaded, and how. */
export interface UploadRequest extends PlaceRequest {
  readonly open: OpenFrom
  /** Told how many bytes are sent. */
  readonly progress: (bytes: number) => void
}

/** How a blob came to be where it is. */
export type Uploaded = { readonly by: 'existing' | 'upload' } | { readonly by: 'mount'; readonly from: string }

/** Repositories that are tried. */
const MAXIMUM_MOUNTS = 3
/** What a registry takes that refuses a whole body as too large. */
const SMALL_PIECE_BYTES = 1024 * 1024
/** How often one attempt asks where it has got to. */
const MAXIMUM_CORRECTIONS = 3
/** What an answer may be that ends an upload which was not as the registry had said. */
const OUT_OF_STEP = new Set([400, 404, 416])

/** Uploads a blob. Rejects with ACCESS_DENIED, REGISTRY_FAILED, DIGEST_MISMATCH, ABORTED, and as `open` does. */
export async function uploadBlob(session: RegistrySession, request: UploadRequest): Promise<Uploaded> {
  const uploaded = await exchangeBlob(session, new BlobExchange(request, request))
  if (uploaded === null) throw new EngineError('INTERNAL', `blob ${request.blob.digest} was not sent`)
  return uploaded
}

/** As {@link uploadBlob} as far as that goes without the blob's bytes; null when they are needed. */
export function placeBlob(session: RegistrySession, request: PlaceRequest): Promise<Uploaded | null> {
  return exchangeBlob(session, new BlobExchange(request, null))
}

function exchangeBlob(session: RegistrySession, exchange: BlobExchange): Promise<Uploaded | null> {
  const { repository, blob, signal } = exchange.request
  return session.persist(
    repository,
    signal,
    (send) => exchange.run(send),
    async (response) => {
      await assertStatus(response, exchange.wanted, { name: `blob ${blob.digest}`, repository, isSent: true })
      assertSameDigest(response, blob.digest, `blob ${blob.digest}`)
      await finish(response)
      return exchange.outcome
    },
    () => exchange.hasProgressed(),
  )
}

type Send = (call: Call) => Promise<Answer>

/** An upload that a registry has begun, and how much of the blob it has. */
interface Begun {
  readonly location: URL
  readonly offset: number
}

/** The requests of one blob, up to the answer that decides; again after each that was broken off. */
class BlobExchange {
  /** What becomes of the blob with {@link wanted} as the status of the last answer; null when its bytes are needed and not to be sent. */
  outcome: Uploaded | null = { by: 'upload' }
  wanted: readonly number[] = []
  /** Where the upload goes on, and what may be taken up again after a broken connection. */
  #begun: Begun | null = null
  #pieceBytes: number | null = null
  #isResumed = false
  #accepted = 0

  constructor(
    readonly request: PlaceRequest,
    private readonly source: Pick<UploadRequest, 'open' | 'progress'> | null,
  ) {}

  /** Whether the registry has more of the blob than when this was asked last. */
  hasProgressed(): boolean {
    const { offset = 0 } = this.#begun ?? {}
    const isMore = offset > this.#accepted
    this.#accepted = Math.max(offset, this.#accepted)
    return isMore
  }

  async run(send: Send): Promise<HttpResponse> {
    const { repository, blob } = this.request
    this.#expect({ by: 'existing' }, 200)
    const { response: head } = await send(this.#call('HEAD', `/v2/${repository.path}/blobs/${blob.digest}`))
    if (head.status !== 404) return head
    if (this.source === null && this.request.mountFrom.length === 0) {
      this.#expect(null, 404)
      return head
    }
    await finish(head)
    this.#begun = await this.#resumed(send)
    this.#isResumed = this.#begun !== null
    const answer = this.#begun === null ? await this.#begin(send) : null
    if (answer !== null) return answer
    const last = await this.#sendAll(send)
    if (!this.#isResumed || !OUT_OF_STEP.has(last.status)) return last
    await finish(last)
    this.#begun = null
    return (await this.#begin(send)) ?? this.#sendAll(send)
  }

  /** A mount, or the begin of an upload. Resolves with the answer that decides, or null when the bytes are to be sent. */
  async #begin(send: Send): Promise<HttpResponse | null> {
    const { repository } = this.request
    const mounted = await this.#mounted(send)
    if (this.outcome?.by === 'mount') return mounted?.response ?? null
    if (this.source === null) {
      this.#expect(null, 202, 404)
      if (mounted === null) return (await send(this.#call('HEAD', `/v2/${repository.path}/blobs/${this.request.blob.digest}`))).response
      await this.#abandon(send, mounted)
      return mounted.response
    }
    const begun = mounted ?? (await send(this.#call('POST', `/v2/${repository.path}/blobs/uploads/`)))
    if (begun.response.status !== 202) {
      this.#expect({ by: 'upload' }, 202)
      return begun.response
    }
    await finish(begun.response)
    this.#pieceBytes = wantedPiece(begun.response.headers) ?? this.#pieceBytes
    this.#begun = { location: locationOf(begun, repository), offset: 0 }
    return null
  }

  /** The answer to a mount, or one that begins an upload instead; null when there is neither. */
  async #mounted(send: Send): Promise<Answer | null> {
    const { repository, blob, mountFrom } = this.request
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
      const { status } = answer.response
      // One upload is enough: the one before would be left behind.
      if (begun !== null && (status === 201 || status === 202)) await this.#abandon(send, begun)
      if (status === 201) {
        this.#expect({ by: 'mount', from }, 201)
        return answer
      }
      if (status === 202) begun = answer
      else await finish(answer.response)
    }
    return begun
  }

  /** Ends an upload that nobody wants. What a registry says to that is no matter: it may not let anybody. */
  async #abandon(send: Send, begun: Answer): Promise<void> {
    await finish(begun.response)
    try {
      const { response } = await send(this.#call('DELETE', locationOf(begun, this.request.repository)))
      await finish(response)
    } catch {
      this.request.signal?.throwIfAborted()
    }
  }

  /** How far the registry has got with an upload that was broken off; null when it is begun anew. */
  async #resumed(send: Send): Promise<Begun | null> {
    if (this.#begun === null) return null
    const answer = await send(this.#call('GET', this.#begun.location))
    await finish(answer.response)
    const offset = receivedBytes(answer.response)
    if (offset === null || offset > this.request.blob.size) return null
    return { location: nextLocation(answer, this.#begun.location), offset }
  }

  /** Sends what is missing, and ends the upload. */
  async #sendAll(send: Send): Promise<HttpResponse> {
    const { size } = this.request.blob
    this.#expect({ by: 'upload' }, 201, 204)
    if (this.#pieceBytes === null && this.#begun?.offset === 0) {
      const { response } = await send(this.#put(this.#begun.location, size))
      if (response.status !== 413 || size <= SMALL_PIECE_BYTES) return response
      await finish(response)
      this.#pieceBytes = SMALL_PIECE_BYTES
      const answer = await this.#begin(send)
      if (answer !== null) return answer
      this.#expect({ by: 'upload' }, 201, 204)
    }
    const refused = await this.#sendPieces(send)
    if (refused !== null) return refused
    if (this.#begun === null) throw new EngineError('INTERNAL', 'an upload was not begun')
    return (await send(this.#put(this.#begun.location, 0))).response
  }

  /** Resolves with an answer that is no leave to go on. */
  async #sendPieces(send: Send): Promise<HttpResponse | null> {
    const { size } = this.request.blob
    for (let corrections = 0; this.#begun !== null && this.#begun.offset < size; ) {
      const { location, offset } = this.#begun
      const length = Math.min(this.#pieceBytes ?? size, size - offset)
      const answer = await send(this.#patch(location, offset, length))
      const { status } = answer.response
      if (status === 202 || status === 204) {
        await finish(answer.response)
        const said = receivedBytes(answer.response)
        // A registry that says nothing has taken it all; one that has taken none would be asked for ever.
        const next = said === null || said > offset + length ? offset + length : said
        if (next <= offset) throw stuck(this.request.repository, offset)
        this.#begun = { location: nextLocation(answer, location), offset: next }
        continue
      }
      const there = status === 416 && corrections++ < MAXIMUM_CORRECTIONS ? await this.#resumed(send) : null
      if (there === null) {
        this.#expect({ by: 'upload' }, 202, 204)
        return answer.response
      }
      await finish(answer.response)
      this.#begun = there
    }
    return null
  }

  /** The last request: with the whole blob, or with nothing more. */
  #put(location: URL, length: number): Call {
    const url = new URL(location)
    // Put behind as text: what a registry has signed stays as it wrote it.
    url.search = `${location.search === '' ? '?' : `${location.search}&`}digest=${encodeURIComponent(this.request.blob.digest)}`
    return this.#withBytes(this.#call('PUT', url), 0, length)
  }

  #patch(location: URL, offset: number, length: number): Call {
    const call = this.#call('PATCH', location)
    return this.#withBytes({ ...call, headers: { 'content-range': `${offset}-${offset + length - 1}` } }, offset, length)
  }

  #withBytes(call: Call, offset: number, length: number): Call {
    const headers = { ...call.headers, 'content-type': 'application/octet-stream', 'content-length': String(length) }
    const { source } = this
    if (length === 0 || source === null) return { ...call, headers }
    return { ...call, headers, body: { open: async () => piece(source.open, { offset, length }, source.progress) } }
  }

  #call(method: Call['method'], path: string | URL): Call {
    const headers = method === 'POST' ? { 'content-length': '0' } : {}
    return { method, path, scope: pushScope(this.request.repository), headers, signal: this.request.signal }
  }

  #expect(outcome: Uploaded | null, ...wanted: readonly number[]): void {
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

/** Where it goes on after an answer that may say so; where it was when that says nothing of use. */
function nextLocation({ response, url }: Answer, before: URL): URL {
  const { location = '' } = response.headers
  return (location === '' ? null : targetOf(location, url)) ?? before
}

function stuck({ domain }: Repository, offset: number): EngineError {
  return new EngineError('REGISTRY_FAILED', `${domain} takes no more of an upload than its first ${offset} bytes`, {
    hint: 'The registry is at fault.',
    data: { registry: domain },
  })
}
