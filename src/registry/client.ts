/**
 * What can be read of a registry as the distribution-spec describes it. What an answer is worth is judged here (status, type, length, digest);
 * nothing is kept.
 */
import { EngineError } from '../errors.js'
import type { Digest } from '../oci/digest.js'
import { isDigest } from '../oci/digest.js'
import { MAXIMUM_DOCUMENT_BYTES } from '../oci/document.js'
import { MEDIA_TYPE } from '../oci/media-type.js'
import { familiarReference } from '../reference/normalize.js'
import { isTag } from '../reference/reference.js'
import { digestOf } from '../store/blob-file.js'
import { plainText, readBody } from './answer.js'
import { manifestType } from './manifest-type.js'
import type { Patience } from './patience.js'
import { assertPlain, assertStatus } from './refusal.js'
import { type Call, RegistrySession, type Repository, type SessionParts } from './session.js'
import type { HttpResponse } from './transport.js'

/** A manifest or index as it came: its bytes are what its digest says. */
export interface FetchedManifest {
  readonly bytes: Uint8Array
  readonly mediaType: string
  readonly digest: Digest
}

const ACCEPT = [MEDIA_TYPE.ociIndex, MEDIA_TYPE.ociManifest, MEDIA_TYPE.dockerManifestList, MEDIA_TYPE.dockerManifest].join(', ')
const MAXIMUM_TAG_PAGES = 1000
const MAXIMUM_TAGS = 200_000

/** Speaks to registries. Dispose of it. */
export class RegistryClient implements Disposable {
  /** For what is sent, and for what is no image. */
  readonly session: RegistrySession

  constructor(parts: SessionParts) {
    this.session = new RegistrySession(parts)
  }

  /** How long registries are waited for. */
  get patience(): Patience {
    return this.session.patience
  }

  /**
   * A manifest or index by tag or digest, checked against that digest and the one that the registry names. Rejects with IMAGE_NOT_FOUND,
   * ACCESS_DENIED, REGISTRY_FAILED, DIGEST_MISMATCH, UNSUPPORTED_MEDIA_TYPE, LIMIT_EXCEEDED.
   */
  manifest(repository: Repository, tagOrDigest: string, signal?: AbortSignal): Promise<FetchedManifest> {
    const path = `/v2/${repository.path}/manifests/${tagOrDigest}`
    return this.session.ask(repository, this.#call(repository, path, { accept: ACCEPT }, signal), async (response) => {
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
    return this.session.ask(repository, call, async (response) => {
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
      const { bytes, next } = await this.session.ask(repository, call, async (response) => {
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
    const call: Call = { method: 'GET', path: '/v2/', scope: null, headers: {}, signal }
    const take = async (response: HttpResponse) => {
      await assertStatus(response, [200], { name: registry, repository })
      response.discard()
    }
    // Of the registry itself: what a mirror lets in says nothing of it.
    await this.session.persist(repository, signal, async (send) => (await send(call)).response, take)
  }

  [Symbol.dispose](): void {
    this.session[Symbol.dispose]()
  }

  #call(repository: Repository, path: string, headers: Readonly<Record<string, string>>, signal: AbortSignal | undefined): Call {
    return {
      method: 'GET',
      path,
      scope: `repository:${repository.path}:pull`,
      headers: { 'accept-encoding': 'identity', ...headers },
      signal,
    }
  }
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
