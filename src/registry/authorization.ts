/**
 * Answers to 401 (distribution's token authentication, RFC 7617, RFC 6750).
 *
 * Who gets what: a password goes to the registry it is for, and to the token service that this registry names itself, never to where a
 * redirect has led. A token service is spoken to over https, or, when the registry may speak plain HTTP, on that same host. The scope asked
 * for is the one that is needed, whatever the registry would like.
 */
import { EngineError } from '../errors.js'
import { errorText, plainText, readBody } from './answer.js'
import type { Challenge } from './challenge.js'
import { ConnectionError } from './connection-error.js'
import { basic, type Credential, type Credentials } from './credential.js'
import type { Endpoint } from './endpoint.js'
import { bareHost, isLoopback } from './proxy.js'
import type { HttpRequest, HttpResponse } from './transport.js'

/** What is to be done in a repository: `repository:library/alpine:pull`, in several with spaces between; null to be let in at all. */
export type Scope = string | null

/** What an answer is for. */
export interface AuthorizationRequest {
  readonly endpoint: Endpoint
  /** Repository, for credentials of a part of a registry. */
  readonly path: string
  readonly scope: Scope
  readonly signal: AbortSignal | undefined
}

interface Held {
  readonly header: string
  readonly expiresAt: number
}

const MAXIMUM_TOKEN_BYTES = 1024 * 1024
/** How long a token lives that does not say it (distribution's token specification). */
const DEFAULT_LIFE_SECONDS = 60
/** A token that is about to expire is not begun with. */
const LEAST_LIFE_SECONDS = 10
const CLIENT_ID = 'wolffia'

/** Remembers what has opened what. */
export class Authorization {
  readonly #held = new Map<string, Held>()
  readonly #asking = new Map<string, Promise<string>>()

  constructor(
    private readonly credentials: Credentials,
    private readonly send: (request: HttpRequest) => Promise<HttpResponse>,
  ) {}

  /** What opened this before; null when nothing did or it has expired. */
  known(request: AuthorizationRequest): string | null {
    const held = this.#held.get(keyOf(request))
    return held !== undefined && held.expiresAt > Date.now() ? held.header : null
  }

  /**
   * The `Authorization` header that answers a challenge; null when there is no way in. `refused` is the header that was just refused.
   * Several who ask for one thing at once ask once.
   */
  async answer(request: AuthorizationRequest, challenges: readonly Challenge[], refused: string | null): Promise<string | null> {
    const key = keyOf(request)
    const known = this.known(request)
    // Somebody else has been let in meanwhile.
    if (known !== null && known !== refused) return known
    this.#held.delete(key)
    const asking = this.#asking.get(key)
    if (asking !== undefined) return asking
    const credential = await this.credentials.find(request.endpoint.registry, request.path)
    const bearer = challenges.find(({ scheme }) => scheme === 'bearer')
    if (bearer !== undefined) {
      const again = this.#asking.get(key)
      if (again !== undefined) return again
      const token = this.#token(request, bearer, credential).finally(() => this.#asking.delete(key))
      this.#asking.set(key, token)
      return token
    }
    if (credential?.kind !== 'password' || !challenges.some(({ scheme }) => scheme === 'basic')) return null
    const header = basic(credential.username, credential.password)
    if (header === refused) return null
    this.#held.set(key, { header, expiresAt: Number.POSITIVE_INFINITY })
    return header
  }

  async #token(request: AuthorizationRequest, challenge: Challenge, credential: Credential | null): Promise<string> {
    const key = keyOf(request)
    if (credential?.kind === 'registry-token') return this.#hold(key, credential.token, Number.POSITIVE_INFINITY)
    const realm = realmOf(challenge, request.endpoint)
    const service = challenge.parameters.get('service')
    const words = {
      ...(service === undefined ? {} : { service }),
      ...(request.scope === null ? {} : { scope: request.scope }),
    }
    const response = await this.#reach(realm, { ...tokenRequest(realm, words, credential), signal: request.signal })
    if (response.status !== 200) {
      const { message } = await errorText(response)
      throw new EngineError('ACCESS_DENIED', `${realm.host} gives no token for ${request.endpoint.registry}: ${message}`, {
        hint: `Log in: wolffia login ${request.endpoint.registry}`,
        data: { registry: request.endpoint.registry, status: response.status },
      })
    }
    const { token, lifeSeconds } = readToken(await readBody(response, MAXIMUM_TOKEN_BYTES, `the token of ${realm.host}`), realm)
    return this.#hold(key, token, Date.now() + (lifeSeconds - LEAST_LIFE_SECONDS) * 1000)
  }

  /** What a token service cannot answer just now is worth another attempt, like what a registry cannot. */
  async #reach(realm: URL, request: HttpRequest): Promise<HttpResponse> {
    try {
      const response = await this.send(request)
      if (response.status !== 429 && response.status < 500) return response
      response.discard()
      throw new ConnectionError('cut', `it answered ${response.status}`)
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error
      throw new ConnectionError(error.problem, `the token service ${realm.host}: ${error.message}`, { cause: error })
    }
  }

  #hold(key: string, token: string, expiresAt: number): string {
    const header = `Bearer ${token}`
    this.#held.set(key, { header, expiresAt })
    return header
  }
}

function keyOf({ endpoint, scope }: AuthorizationRequest): string {
  return `${endpoint.base.href} ${scope ?? ''}`
}

function realmOf({ parameters }: Challenge, { base, registry, plainAllowed }: Endpoint): URL {
  const text = parameters.get('realm') ?? ''
  const realm = URL.canParse(text) ? new URL(text) : null
  const isTrusted =
    realm !== null &&
    (realm.protocol === 'https:' ||
      (realm.protocol === 'http:' && plainAllowed && (realm.hostname === base.hostname || isLoopback(bareHost(realm.hostname)))))
  if (realm !== null && isTrusted && realm.username === '' && realm.password === '') return realm
  throw new EngineError('ACCESS_DENIED', `${registry} sends to ${JSON.stringify(plainText(text))} for a token, where no password is sent`, {
    hint: 'A token service must be reached over https.',
    data: { realm: text },
  })
}

function tokenRequest(realm: URL, words: Readonly<Record<string, string>>, credential: Credential | null): HttpRequest {
  const accept = { accept: 'application/json' }
  if (credential?.kind === 'identity-token') {
    const form = { ...words, grant_type: 'refresh_token', client_id: CLIENT_ID, refresh_token: credential.token }
    const body = new URLSearchParams(form).toString()
    const headers = { ...accept, 'content-type': 'application/x-www-form-urlencoded', 'content-length': String(Buffer.byteLength(body)) }
    return { method: 'POST', url: realm, headers, body }
  }
  const url = new URL(realm)
  for (const name of Object.keys(words)) url.searchParams.delete(name)
  // Several scopes are one parameter each in a URL, and one with spaces in a form (distribution's token specifications).
  for (const [name, value] of Object.entries(words))
    for (const one of name === 'scope' ? value.split(' ') : [value]) url.searchParams.append(name, one)
  if (credential?.kind !== 'password') return { method: 'GET', url, headers: accept }
  url.searchParams.set('account', credential.username)
  return { method: 'GET', url, headers: { ...accept, authorization: basic(credential.username, credential.password) } }
}

function readToken(bytes: Uint8Array, { host }: URL): { readonly token: string; readonly lifeSeconds: number } {
  let members: { token?: unknown; access_token?: unknown; expires_in?: unknown } = {}
  try {
    members = JSON.parse(new TextDecoder().decode(bytes)) ?? {}
  } catch {
    // Told as a missing token.
  }
  const token = members.token || members.access_token
  // Anything else would not be one header.
  if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token)) throw new EngineError('ACCESS_DENIED', `${host} gave no token`)
  const life = members.expires_in
  return { token, lifeSeconds: typeof life === 'number' && life > 0 ? Math.max(life, DEFAULT_LIFE_SECONDS) : DEFAULT_LIFE_SECONDS }
}
