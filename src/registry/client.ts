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
import { digestOf } from '../store/blob-file.js'
import { readBody } from './answer.js'
import { manifestType } from './manifest-type.js'
import type { Patience } from './patience.js'
import { assertPlain, assertStatus } from './refusal.js'
import { isSha512, sha512Of } from './sent.js'
import { type Call, RegistrySession, type Repository, type SessionParts, type Source } from './session.js'
import type { HttpResponse } from './transport.js'

/** A manifest or index as it came: its bytes are what its digest says. */
export interface FetchedManifest {
  readonly bytes: Uint8Array
  readonly mediaType: string
  readonly digest: Digest
}

/** The head of a blob, and who sends it. */
export interface FetchedBlob {
  readonly response: HttpResponse
  readonly source: Source
}

const ACCEPT = [MEDIA_TYPE.ociIndex, MEDIA_TYPE.ociManifest, MEDIA_TYPE.dockerManifestList, MEDIA_TYPE.dockerManifest].join(', ')

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
      if (digest !== expected || (isDigest(said) && said !== digest)) throw otherBytes(name, expected, digest)
      if (isSha512(said) && said !== sha512Of(bytes)) throw otherBytes(name, said, sha512Of(bytes))
      return { bytes, digest, mediaType: manifestType(response.headers['content-type'], bytes) }
    })
  }

  /**
   * Bytes of a blob from `offset` on, as an answer of status 206, or of 200 from a registry that knows no ranges and begins at 0. Rejects as
   * {@link manifest}.
   */
  blob(repository: Repository, digest: Digest, offset: number, signal?: AbortSignal): Promise<FetchedBlob> {
    const range = offset === 0 ? {} : { range: `bytes=${offset}-` }
    const call = this.#call(repository, `/v2/${repository.path}/blobs/${digest}`, range, signal)
    return this.session.ask(repository, call, async (response, source) => {
      await assertStatus(response, offset === 0 ? [200] : [200, 206], { name: `blob ${digest}`, repository })
      assertPlain(response)
      return { response, source }
    })
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

function otherBytes(name: string, expected: string, found: string): EngineError {
  return new EngineError('DIGEST_MISMATCH', `the manifest of ${name} should be ${expected}, but its bytes are ${found}`, {
    hint: 'The registry, or something on the way to it, has changed it.',
    data: { expected, found },
  })
}
