/**
 * Requests to registries: with the right credentials, through mirrors, redirects and bad moments. What an answer is worth is for whoever asks.
 *
 * A redirect, and a place that a registry names for an upload, may be anywhere: another origin than the registry's own gets no credentials and
 * may ask for none, and from https nothing leads to http. Only what has not changed its method is sent on (307, 308), but for what has no body.
 */
import { EngineError } from '../errors.js'
import type { Reference } from '../reference/reference.js'
import { errorText, plainText } from './answer.js'
import { Authorization, type Scope } from './authorization.js'
import { parseChallenges } from './challenge.js'
import type { RegistryConfiguration } from './configuration.js'
import { ConnectionError } from './connection-error.js'
import type { Credentials } from './credential.js'
import { type Endpoint, endpointsOf, urlAt } from './endpoint.js'
import { backOffMs, LONGEST_RETRY_AFTER_MS, type Patience, retryAfterMs } from './patience.js'
import { denied } from './refusal.js'
import type { HttpRequest, HttpResponse, Transport } from './transport.js'

/** What a session is made with. */
export interface SessionParts {
  readonly transport: Transport
  readonly configuration: RegistryConfiguration
  readonly credentials: Credentials
  readonly patience: Patience
}

/** The repository of an image. */
export type Repository = Pick<Reference, 'domain' | 'path'>

/** What is asked of a repository. */
export interface Call extends Pick<HttpRequest, 'method' | 'headers' | 'body'> {
  /** Below the endpoint's base; or where the registry has said that it goes on. */
  readonly path: string | URL
  readonly scope: Scope
  readonly signal: AbortSignal | undefined
}

/** An answer, and who gave it. */
export interface Answer {
  readonly response: HttpResponse
  /** Where it came from, redirects followed. */
  readonly url: URL
}

/** Who gave an answer. */
export interface Source {
  /** Whether somebody else may have what it was asked for: it is a mirror. */
  readonly isMirror: boolean
  /** Has it asked for nothing more by this session: what it sent is not what was to come. For mirrors alone. */
  avoid(): void
}

/** Makes something of an answer; whether it is worth another attempt is told by what it rejects with. */
export type Take<T> = (response: HttpResponse, source: Source) => Promise<T>

/** How often something is tried. */
interface Attempts {
  readonly signal: AbortSignal | undefined
  readonly attempts: number
  readonly hasProgressed?: () => boolean
}

const MAXIMUM_REDIRECTS = 5
const REDIRECTS = new Set([301, 302, 303, 307, 308])

/** Speaks to registries. Dispose of it. */
export class RegistrySession implements Disposable {
  readonly #parts: SessionParts
  readonly #authorization: Authorization
  /** What hosts that may speak either were found to speak. */
  readonly #schemes = new Map<string, 'http:' | 'https:'>()
  /** Mirrors that have failed, by their base. */
  readonly #avoided = new Set<string>()

  constructor(parts: SessionParts) {
    this.#parts = parts
    this.#authorization = new Authorization(parts.credentials, (request) => parts.transport.send(request))
  }

  /** How long registries are waited for. */
  get patience(): Patience {
    return this.#parts.patience
  }

  /**
   * Asks a registry's mirrors, each once, and then itself. What the last one says is what the user is told. A mirror that fails otherwise than by
   * not having what is asked for is not asked again.
   */
  async ask<T>(repository: Repository, call: Call, take: Take<T>): Promise<T> {
    const endpoints = endpointsOf(repository.domain, this.#parts.configuration)
    const attempt = (endpoint: Endpoint, attempts: number) => {
      const source = { isMirror: endpoint.isMirror, avoid: () => this.#avoid(endpoint) }
      const exchange = async () => (await this.#admitted(endpoint, repository, call)).response
      return this.#patiently(endpoint, { signal: call.signal, attempts }, exchange, (response) => take(response, source))
    }
    for (const endpoint of endpoints) {
      if (!endpoint.isMirror || this.#avoided.has(endpoint.base.href)) continue
      try {
        return await attempt(endpoint, 1)
      } catch (error) {
        if (!(error instanceof EngineError) || error.code === 'ABORTED') throw error
        if (error.code !== 'IMAGE_NOT_FOUND') this.#avoid(endpoint)
      }
    }
    return attempt(this.#own(repository), this.#parts.patience.attempts)
  }

  #avoid({ isMirror, base }: Endpoint): void {
    if (isMirror) this.#avoided.add(base.href)
  }

  /**
   * Exchanges something with the registry itself, for mirrors are only read: the whole exchange once more after a cut connection, and when its
   * last answer is 429 or 5xx. Attempts are counted anew after one that `hasProgressed` says was not in vain.
   */
  persist<T>(
    repository: Repository,
    signal: AbortSignal | undefined,
    exchange: (send: (call: Call) => Promise<Answer>) => Promise<HttpResponse>,
    take: (response: HttpResponse) => Promise<T>,
    hasProgressed: () => boolean = () => false,
  ): Promise<T> {
    const endpoint = this.#own(repository)
    const { attempts } = this.#parts.patience
    return this.#patiently(
      endpoint,
      { signal, attempts, hasProgressed },
      () => exchange((call) => this.#admitted(endpoint, repository, call)),
      take,
    )
  }

  [Symbol.dispose](): void {
    this.#parts.transport[Symbol.dispose]()
  }

  #own({ domain }: Repository): Endpoint {
    const own = endpointsOf(domain, this.#parts.configuration).at(-1)
    if (own === undefined) throw new EngineError('INTERNAL', `no endpoint for ${domain}`)
    return own
  }

  /** Again after a cut connection, 429 and 5xx, as long as there is patience. */
  async #patiently<T>(
    endpoint: Endpoint,
    { signal, attempts, hasProgressed = () => false }: Attempts,
    exchange: () => Promise<HttpResponse>,
    take: (response: HttpResponse) => Promise<T>,
  ): Promise<T> {
    for (let attempt = 1; ; attempt = hasProgressed() ? 1 : attempt + 1) {
      let pauseMs: number | null
      try {
        const response = await exchange()
        pauseMs = pauseAfter(response, attempt)
        if (pauseMs === null || attempt === attempts) return await take(response)
        response.discard()
      } catch (error) {
        if (signal?.aborted) throw aborted(signal)
        if (!(error instanceof ConnectionError)) throw error
        if (attempt === attempts || (error.problem !== 'cut' && error.problem !== 'stalled')) throw unreachable(endpoint, error)
        pauseMs = backOffMs(attempt)
      }
      await pauseOrAbort(this.#parts.patience, pauseMs, signal)
    }
  }

  async #admitted(endpoint: Endpoint, repository: Repository, call: Call): Promise<Answer> {
    const { scope, signal } = call
    const request = { endpoint, path: repository.path, scope, signal }
    let header = this.#authorization.known(request)
    for (let answered = false; ; answered = true) {
      const { response, url, isOwn } = await this.#followed(endpoint, call, header)
      if (response.status !== 401) return { response, url }
      // Whoever a redirect leads to may ask for a password as it likes.
      const challenges = isOwn ? parseChallenges(String(response.headers['www-authenticate'] ?? '')) : []
      const { message } = await errorText(response)
      const next = answered || challenges.length === 0 ? null : await this.#authorization.answer(request, challenges, header)
      if (next === null) throw denied(repository, message)
      header = next
    }
  }

  /** Follows redirects: without credentials to another origin, and never from https to http. */
  async #followed(endpoint: Endpoint, call: Call, authorization: string | null): Promise<Answer & { readonly isOwn: boolean }> {
    let { response, url, isOwn } = await this.#first(endpoint, call, authorization)
    const isSecure = url.protocol === 'https:'
    const { origin } = url
    for (let hops = 0; REDIRECTS.has(response.status); hops++) {
      const { location = '' } = response.headers
      response.discard()
      if (call.method !== 'GET' && call.method !== 'HEAD' && response.status !== 307 && response.status !== 308)
        throw new EngineError('REGISTRY_FAILED', `${endpoint.registry} answers what is sent with a redirect of status ${response.status}`, {
          hint: 'What is sent is sent on after 307 and 308 alone: the registry, or a proxy before it, is at fault.',
          data: { status: response.status },
        })
      const target = targetOf(location, url, isSecure)
      if (target === null || hops === MAXIMUM_REDIRECTS)
        throw new EngineError(
          'REGISTRY_FAILED',
          target !== null
            ? `${endpoint.registry} redirects more than ${MAXIMUM_REDIRECTS} times`
            : `${endpoint.registry} redirects to ${JSON.stringify(plainText(location))}, where nothing is fetched from or sent to`,
          { hint: 'A redirect from https must lead to https.', data: { location } },
        )
      isOwn &&= target.origin === origin
      url = target
      response = await this.#send(url, call, isOwn ? authorization : null)
    }
    return { response, url, isOwn }
  }

  /** The first request: at the endpoint, or where it has named. */
  async #first(endpoint: Endpoint, call: Call, authorization: string | null): Promise<Answer & { readonly isOwn: boolean }> {
    const { path } = call
    if (typeof path === 'string') return this.#found(endpoint, call, path, authorization)
    const isOwn = path.origin === new URL(urlAt(endpoint, this.#schemes.get(endpoint.base.host) ?? schemeOf(endpoint), '/')).origin
    return { response: await this.#send(path, call, isOwn ? authorization : null), url: path, isOwn }
  }

  /** Finds out what a host speaks that may speak plain HTTP: https first, as docker does. */
  async #found(endpoint: Endpoint, call: Call, path: string, authorization: string | null): Promise<Answer & { readonly isOwn: true }> {
    const send = async (scheme: 'http:' | 'https:') => {
      const url = urlAt(endpoint, scheme, path)
      return { response: await this.#send(url, call, authorization), url, isOwn: true as const }
    }
    const { base, plainAllowed } = endpoint
    if (base.protocol === 'http:' || !plainAllowed) return send(schemeOf(endpoint))
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

  #send(url: URL, { method, headers, body, signal }: Call, authorization: string | null): Promise<HttpResponse> {
    return this.#parts.transport.send({
      method,
      url,
      headers: authorization === null ? headers : { ...headers, authorization },
      signal,
      ...(body === undefined ? {} : { body }),
    })
  }
}

/** Where a `Location` leads from `url`, without a password in it; null where nothing of ours may go. */
export function targetOf(location: string, url: URL, isSecure = url.protocol === 'https:'): URL | null {
  const target = URL.canParse(location, url.href) ? new URL(location, url) : null
  if (target === null || (target.protocol !== 'https:' && (target.protocol !== 'http:' || isSecure))) return null
  target.username = ''
  target.password = ''
  return target
}

function schemeOf({ base }: Endpoint): 'http:' | 'https:' {
  return base.protocol === 'http:' ? 'http:' : 'https:'
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
