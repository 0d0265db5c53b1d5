/**
 * A registry as the distribution-spec describes it: requests with the right credentials, through mirrors, redirects and bad moments. What an
 * answer is worth is judged here (status, type, length, digest); nothing is kept.
 */
import { EngineError } from '../errors.js'
import type { Digest } from '../oci/digest.js'
import { isDigest } from '../oci/digest.js'
import { MAXIMUM_DOCUMENT_BYTES } from '../oci/document.js'
import { MEDIA_TYPE } from '../oci/media-type.js'
import { familiarReference } from '../reference/normalize.js'
import { isTag, type Reference } from '../reference/reference.js'
import { digestOf } from '../store/blob-file.js'
import { errorText, plainText, readBody } from './answer.js'
import { Authorization, type Scope } from './authorization.js'
import { parseChallenges } from './challenge.js'
import type { RegistryConfiguration } from './configuration.js'
import { ConnectionError } from './connection-error.js'
import type { Credentials } from './credential.js'
import { type Endpoint, endpointsOf, urlAt } from './endpoint.js'
import { manifestType } from './manifest-type.js'
import { backOffMs, LONGEST_RETRY_AFTER_MS, type Patience, retryAfterMs } from './patience.js'
import type { HttpResponse, Transport } from './transport.js'

/** What a client is made with. */
export interface ClientParts {
  readonly transport: Transport
  readonly configuration: RegistryConfiguration
  readonly credentials: Credentials
  readonly patience: Patience
}

/** The repository of an image. */
export type Repository = Pick<Reference, 'domain' | 'path'>

/** A manifest or index as it came: its bytes are what its digest says. */
export interface FetchedManifest {
  readonly bytes: Uint8Array
  readonly mediaType: string
  readonly digest: Digest
}

/** What is asked of a repository. */
interface Call {
  /** Below the endpoint's base. */
  readonly path: string
  readonly scope: Scope
  readonly headers: Readonly<Record<string, string>>
  readonly signal: AbortSignal | undefined
}

/** Makes something of an answer; whether it is worth another attempt is told by what it rejects with. */
type Take<T> = (response: HttpResponse, endpoint: Endpoint) => Promise<T>

const ACCEPT = [MEDIA_TYPE.ociIndex, MEDIA_TYPE.ociManifest, MEDIA_TYPE.dockerManifestList, MEDIA_TYPE.dockerManifest].join(', ')
const MAXIMUM_REDIRECTS = 5
const REDIRECTS = new Set([301, 302, 303, 307, 308])
const MAXIMUM_TAG_PAGES = 1000
const MAXIMUM_TAGS = 200_000

/** Speaks to registries. Dispose of it. */
export class RegistryClient implements Disposable {
  readonly #parts: ClientParts
  readonly #authorization: Authorization
  /** What hosts that may speak either were found to speak. */
  readonly #schemes = new Map<string, 'http:' | 'https:'>()

  constructor(parts: ClientParts) {
    this.#parts = parts
    this.#authorization = new Authorization(parts.credentials, (request) => parts.transport.send(request))
  }

  /** How long registries are waited for. */
  get patience(): Patience {
    return this.#parts.patience
  }

  /**
   * A manifest or index by tag or digest, checked against that digest and the one that the registry names. Rejects with IMAGE_NOT_FOUND,
   * ACCESS_DENIED, REGISTRY_FAILED, DIGEST_MISMATCH, UNSUPPORTED_MEDIA_TYPE, LIMIT_EXCEEDED.
   */
  manifest(repository: Repository, tagOrDigest: string, signal?: AbortSignal): Promise<FetchedManifest> {
    const path = `/v2/${repository.path}/manifests/${tagOrDigest}`
    return this.#ask(repository, this.#call(repository, path, { accept: ACCEPT }, signal), async (response) => {
      const name = familiarReference({ ...repository, ...(isDigest(tagOrDigest) ? { digest: tagOrDigest } : { tag: tagOrDigest }) })
      await assertStatus(response, [200], { name, repository })
      assertPlain(response)
      const bytes = await readBody(response, MAXIMUM_DOCUMENT_BYTES, `the manifest of ${name}`)
      const digest = digestOf(bytes)
      const said = response.headers['docker-content-digest']
      const expected = isDigest(tagOrDigest) ? tagOrDigest : isDigest(said) ? said : digest
      if (digest !== expected || (isDigest(said) && said !== digest))
        throw new EngineError('DIGEST_MISMATCH', `the manifest of ${name} should be ${expected}, but its bytes are ${digest}`, {
          hint: 'The registry, or something on the way to it, has changed it.',
          data: { expected, found: digest },
        })
      return { bytes, digest, mediaType: manifestType(response.headers['content-type'], bytes) }
    })
  }

  /**
   * Bytes of a blob from `offset` on, as an answer of status 206, or of 200 from a registry that knows no ranges and begins at 0. Rejects as
   * {@link manifest}.
   */
  blob(repository: Repository, digest: Digest, offset: number, signal?: AbortSignal): Promise<HttpResponse> {
    const range = offset === 0 ? {} : { range: `bytes=${offset}-` }
    const call = this.#call(repository, `/v2/${repository.path}/blobs/${digest}`, range, signal)
    return this.#ask(repository, call, async (response) => {
      await assertStatus(response, offset === 0 ? [200] : [200, 206], { name: `blob ${digest}`, repository })
      assertPlain(response)
      return response
    })
  }

  /** All tags of a repository, in the registry's order. Rejects as {@link manifest}. */
  async tags(repository: Repository, signal?: AbortSignal): Promise<readonly string[]> {
    const tags: string[] = []
    const name = familiarReference(repository)
    let query: string | null = '?n=1000'
    for (let page = 0; query !== null; page++) {
      if (page === MAXIMUM_TAG_PAGES) throw new EngineError('LIMIT_EXCEEDED', `the tags of ${name} do not end`)
      const call: Call = this.#call(repository, `/v2/${repository.path}/tags/list${query}`, { accept: 'application/json' }, signal)
      const { bytes, next } = await this.#ask(repository, call, async (response) => {
        await assertStatus(response, [200], { name, repository })
        const link = /<([^>]*)>\s*;\s*rel="?next"?/i.exec(String(response.headers.link ?? ''))?.[1]
        return { bytes: await readBody(response, MAXIMUM_DOCUMENT_BYTES, `the tags of ${name}`), next: link }
      })
      for (const tag of tagsOf(bytes, name)) tags.push(tag)
      if (tags.length > MAXIMUM_TAGS) throw new EngineError('LIMIT_EXCEEDED', `${name} has more than ${MAXIMUM_TAGS} tags`)
      // Only what the next page is called is taken from it, and not where it would be.
      if (next !== undefined && !URL.canParse(next, 'https://registry.invalid'))
        throw new EngineError(
          'REGISTRY_FAILED',
          `the list of the tags of ${name} goes on at ${JSON.stringify(plainText(next))}, which is no address`,
        )
      const following: string | null = next === undefined ? null : new URL(next, 'https://registry.invalid').search || null
      query = following === query ? null : following
    }
    return tags
  }

  /** Whether the credentials open the registry at all (`GET /v2/`). Rejects with ACCESS_DENIED, REGISTRY_FAILED. */
  async check(registry: string, signal?: AbortSignal): Promise<void> {
    const repository = { domain: registry, path: '' }
    const call: Call = { path: '/v2/', scope: null, headers: {}, signal }
    // Of the registry itself: what a mirror lets in says nothing of it.
    await this.#patiently(this.#ownEndpoint(repository), repository, call, async (response) => {
      await assertStatus(response, [200], { name: registry, repository })
      response.discard()
    })
  }

  [Symbol.dispose](): void {
    this.#parts.transport[Symbol.dispose]()
  }

  #call(repository: Repository, path: string, headers: Readonly<Record<string, string>>, signal: AbortSignal | undefined): Call {
    return { path, scope: `repository:${repository.path}:pull`, headers: { 'accept-encoding': 'identity', ...headers }, signal }
  }

  /** Asks a registry's mirrors, and then itself. What the last one says is what the user is told. */
  async #ask<T>(repository: Repository, call: Call, take: Take<T>): Promise<T> {
    const endpoints = endpointsOf(repository.domain, this.#parts.configuration)
    for (const endpoint of endpoints.filter(({ isMirror }) => isMirror)) {
      try {
        return await this.#patiently(endpoint, repository, call, take)
      } catch (error) {
        if (!(error instanceof EngineError) || error.code === 'ABORTED') throw error
      }
    }
    return this.#patiently(this.#ownEndpoint(repository), repository, call, take)
  }

  #ownEndpoint({ domain }: Repository): Endpoint {
    const own = endpointsOf(domain, this.#parts.configuration).at(-1)
    if (own === undefined) throw new EngineError('INTERNAL', `no endpoint for ${domain}`)
    return own
  }

  /** Again after a cut connection, 429 and 5xx, as long as there is patience. */
  async #patiently<T>(endpoint: Endpoint, repository: Repository, call: Call, take: Take<T>): Promise<T> {
    const { attempts } = this.#parts.patience
    for (let attempt = 1; ; attempt++) {
      let pauseMs: number | null
      try {
        const response = await this.#admitted(endpoint, repository, call)
        pauseMs = pauseAfter(response, attempt)
        if (pauseMs === null || attempt === attempts) return await take(response, endpoint)
        response.discard()
      } catch (error) {
        if (call.signal?.aborted) throw aborted(call.signal)
        if (!(error instanceof ConnectionError)) throw error
        if (attempt === attempts || (error.problem !== 'cut' && error.problem !== 'stalled')) throw unreachable(endpoint, error)
        pauseMs = backOffMs(attempt)
      }
      await pauseOrAbort(this.#parts.patience, pauseMs, call.signal)
    }
  }

  async #admitted(endpoint: Endpoint, repository: Repository, call: Call): Promise<HttpResponse> {
    const { scope, signal } = call
    const request = { endpoint, path: repository.path, scope, signal }
    let header = this.#authorization.known(request)
    for (let answered = false; ; answered = true) {
      const { response, isOwn } = await this.#followed(endpoint, call, header)
      if (response.status !== 401) return response
      // Whoever a redirect leads to may ask for a password as it likes.
      const challenges = isOwn ? parseChallenges(String(response.headers['www-authenticate'] ?? '')) : []
      const { message } = await errorText(response)
      const next = answered || challenges.length === 0 ? null : await this.#authorization.answer(request, challenges, header)
      if (next === null) throw denied(repository, message)
      header = next
    }
  }

  /** Follows redirects: without credentials to another origin, and never from https to http. */
  async #followed(endpoint: Endpoint, call: Call, authorization: string | null): Promise<{ response: HttpResponse; isOwn: boolean }> {
    let { response, url } = await this.#first(endpoint, call, authorization)
    const isSecure = url.protocol === 'https:'
    const origin = url.origin
    let isOwn = true
    for (let hops = 0; REDIRECTS.has(response.status); hops++) {
      const { location = '' } = response.headers
      response.discard()
      const target = URL.canParse(location, url.href) ? new URL(location, url) : null
      const isAllowed = target !== null && (target.protocol === 'https:' || (target.protocol === 'http:' && !isSecure))
      if (target === null || !isAllowed || hops === MAXIMUM_REDIRECTS)
        throw new EngineError(
          'REGISTRY_FAILED',
          isAllowed
            ? `${endpoint.registry} redirects more than ${MAXIMUM_REDIRECTS} times`
            : `${endpoint.registry} redirects to ${JSON.stringify(plainText(location))}, where nothing is fetched from`,
          { hint: 'A redirect from https must lead to https.', data: { location } },
        )
      isOwn &&= target.origin === origin
      url = target
      url.username = ''
      url.password = ''
      const headers = isOwn && authorization !== null ? { ...call.headers, authorization } : call.headers
      response = await this.#parts.transport.send({ method: 'GET', url, headers, signal: call.signal })
    }
    return { response, isOwn }
  }

  /** The first request, which finds out what a host speaks that may speak plain HTTP: https first, as docker does. */
  async #first(endpoint: Endpoint, call: Call, authorization: string | null): Promise<{ response: HttpResponse; url: URL }> {
    const headers = authorization === null ? call.headers : { ...call.headers, authorization }
    const send = async (scheme: 'http:' | 'https:') => {
      const url = urlAt(endpoint, scheme, call.path)
      const response = await this.#parts.transport.send({ method: 'GET', url, headers, signal: call.signal })
      return { response, url }
    }
    const { base, plainAllowed } = endpoint
    if (base.protocol === 'http:') return send('http:')
    if (!plainAllowed) return send('https:')
    const known = this.#schemes.get(base.host)
    if (known !== undefined) return send(known)
    try {
      const answer = await send('https:')
      this.#schemes.set(base.host, 'https:')
      return answer
    } catch (error) {
      if (!(error instanceof ConnectionError) || (error.problem !== 'not-tls' && error.problem !== 'unreachable')) throw error
      const answer = await send('http:')
      this.#schemes.set(base.host, 'http:')
      return answer
    }
  }
}

/** ABORTED, for who has stopped it. */
export function aborted(signal: AbortSignal): EngineError {
  if (signal.reason instanceof EngineError) return signal.reason
  return new EngineError('ABORTED', 'stopped before everything had come', { cause: signal.reason })
}

/** Waits between two attempts. Rejects with ABORTED. */
export async function pauseOrAbort(patience: Patience, milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await patience.pause(milliseconds, signal)
  } catch (error) {
    throw signal?.aborted ? aborted(signal) : error
  }
}

/** Milliseconds until the next attempt; null when there shall be none. */
function pauseAfter({ status, headers }: HttpResponse, attempt: number): number | null {
  if (status !== 429 && ![500, 502, 503, 504].includes(status)) return null
  const asked = retryAfterMs(headers)
  if (asked === null) return backOffMs(attempt)
  return asked > LONGEST_RETRY_AFTER_MS ? null : asked
}

/** Throws what is to be said of an answer that is none of those wanted. */
async function assertStatus(
  response: HttpResponse,
  wanted: readonly number[],
  { name, repository }: { readonly name: string; readonly repository: Repository },
): Promise<void> {
  const { status, headers } = response
  if (wanted.includes(status)) return
  const { code, message } = await errorText(response)
  if (status === 401 || status === 403) throw denied(repository, message)
  if (status === 404)
    throw new EngineError('IMAGE_NOT_FOUND', `${name} not found in ${repository.domain}: ${message}`, {
      hint: code === 'NAME_UNKNOWN' ? 'There is no such repository: look at its name.' : 'Look at its tag: the repository may have others.',
      data: { reference: name },
    })
  const asked = status === 429 ? retryAfterMs(headers) : null
  throw new EngineError('REGISTRY_FAILED', `${repository.domain} answered ${status} for ${name}: ${message}`, {
    hint:
      status === 429
        ? `Too many requests${asked === null ? '' : ` (it asks to wait ${Math.ceil(asked / 1000)} s)`}: try again later, or log in.`
        : 'Try again later.',
    data: { registry: repository.domain, status },
  })
}

/** Bytes that were compressed on the way would have another length and digest than the blob. */
function assertPlain(response: HttpResponse): void {
  const encoding = response.headers['content-encoding']
  if (encoding === undefined || encoding === 'identity') return
  response.discard()
  throw new EngineError('REGISTRY_FAILED', `the registry sent the content-encoding ${plainText(encoding)}, which was not asked for`)
}

function denied({ domain, path }: Repository, message: string): EngineError {
  const name = path === '' ? domain : familiarReference({ domain, path })
  return new EngineError(
    'ACCESS_DENIED',
    path === ''
      ? `${domain} does not let you in: ${message}`
      : `access denied for ${name}, repository does not exist or may require 'wolffia login': ${message}`,
    { hint: path === '' ? 'Look at the name and the password.' : `Log in: wolffia login ${domain}`, data: { registry: domain } },
  )
}

function unreachable({ base, registry }: Endpoint, error: ConnectionError): EngineError {
  const hints: Partial<Record<ConnectionError['problem'], string>> = {
    certificate: `Put the CA of ${base.host} into ~/.config/wolffia/certs.d/${base.host}/ca.crt, if you trust it.`,
    'not-tls': `It speaks plain HTTP: if you want that, add "${registry}" to insecureRegistries in ~/.config/wolffia/registries.json.`,
    unreachable: 'Look at the name of the registry, the network, and HTTPS_PROXY.',
  }
  return new EngineError('REGISTRY_FAILED', `cannot reach ${base.host}: ${plainText(error.message)}`, {
    cause: error,
    hint: hints[error.problem] ?? 'Try again later.',
    data: { registry, problem: error.problem },
  })
}

function tagsOf(bytes: Uint8Array, name: string): readonly string[] {
  let list: unknown
  try {
    list = (JSON.parse(new TextDecoder().decode(bytes)) as { tags?: unknown } | null)?.tags
  } catch {
    list = undefined
  }
  if (list === null) return []
  if (Array.isArray(list) && list.every((tag) => typeof tag === 'string' && isTag(tag))) return list
  throw new EngineError('REGISTRY_FAILED', `the registry's list of the tags of ${name} is none`)
}
