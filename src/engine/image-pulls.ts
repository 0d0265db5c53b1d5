import type { Journal } from '../container/journal.js'
import { EngineError, messageOf } from '../errors.js'
import type { Image } from '../image/image.js'
import type { PlatformWish } from '../image/platform-select.js'
import { familiarReference, isReference, parseReference } from '../reference/normalize.js'
import { formatReference, type Reference } from '../reference/reference.js'
import type { RegistryClient } from '../registry/client.js'
import { readConfiguration, resolveName } from '../registry/configuration.js'
import { LazyImage, type LazyImageParts } from '../registry/lazy-image.js'
import { type OpenClientOptions, openClient } from '../registry/open-client.js'
import { type Pulled, pullImage } from '../registry/pull.js'
import type { PullEvent } from '../registry/pull-event.js'
import type { Store } from '../store/store.js'

/** When an image is pulled that a container or a build is to be made of: always, when it is not here, or never. */
export type PullPolicy = 'always' | 'missing' | 'never'

/** What {@link ImagePulls} stands on. */
export interface ImagePullsParts {
  readonly store: Store
  readonly journal: Journal
  /** Removes layers that nothing leads to. */
  readonly prune: () => Promise<unknown>
}

/** How one image is pulled. */
export interface ImagePullRequest {
  readonly wish: PlatformWish | 'all'
  readonly progress?: ((event: PullEvent) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

/** How an image is opened that is read while it comes. */
export type LazyImageRequest = Pick<LazyImageParts, 'wish' | 'signal' | 'failed'>

/** One that is open. Dispose of it when nothing reads it any more. */
export interface OpenedLazyImage extends AsyncDisposable {
  readonly image: Image
}

/** Images from registries. */
export class ImagePulls {
  readonly #parts: ImagePullsParts
  readonly #client: OpenClientOptions

  constructor(parts: ImagePullsParts, client: OpenClientOptions = {}) {
    this.#parts = parts
    this.#client = client
  }

  /** Pulls what a name means by the user's settings. */
  async pull(typed: string, request: ImagePullRequest): Promise<Pulled> {
    using opened = await openClient(this.#client)
    return this.#pull(opened.client, resolveName(typed, opened.configuration), request)
  }

  /**
   * Opens an image that is read while it comes, by what a name means by the user's settings. Whoever disposes of it ends the connections. Rejects
   * as `LazyImage.open`.
   */
  async openLazily(typed: string, request: LazyImageRequest): Promise<OpenedLazyImage> {
    const opened = await openClient(this.#client)
    try {
      const reference = resolveName(typed, opened.configuration)
      const lazy = await LazyImage.open({ ...request, store: this.#parts.store, client: opened.client, reference })
      return {
        image: lazy.image,
        [Symbol.asyncDispose]: async () => {
          await lazy[Symbol.asyncDispose]()
          opened[Symbol.dispose]()
        },
      }
    } catch (error) {
      opened[Symbol.dispose]()
      throw error
    }
  }

  /** Pulls all tags of a repository, one after the other. */
  async pullAllTags(typed: string, request: ImagePullRequest): Promise<readonly Pulled[]> {
    using opened = await openClient(this.#client)
    const repository = resolveName(typed, opened.configuration)
    if (repository.tag !== undefined || repository.digest !== undefined)
      throw new EngineError('INVALID_ARGUMENT', "tag can't be used with --all-tags/-a", {
        hint: `Name the repository alone: ${typed.replace(/[:@][^/]*$/, '')}`,
      })
    const tags = await opened.client.tags(repository, request.signal)
    if (tags.length === 0) throw new EngineError('IMAGE_NOT_FOUND', `${familiarReference(repository)} has no tags`)
    const pulled: Pulled[] = []
    for (const tag of tags) pulled.push(await this.#pull(opened.client, { ...repository, tag }, request))
    return pulled
  }

  /**
   * What `look` finds by a name: by the name as it is, by the full name that it means, or, as the policy says, after a pull. Rejects with what
   * `look` rejects with, to which is added why it could not be pulled.
   */
  async find<T>(typed: string, policy: PullPolicy, look: (name: string) => Promise<T>, request: ImagePullRequest): Promise<T> {
    if (policy === 'always' && isReference(typed)) return look(formatReference((await this.pull(typed, request)).reference))
    let missing: EngineError
    try {
      return await look(typed)
    } catch (error) {
      if (!(error instanceof EngineError) || error.code !== 'IMAGE_NOT_FOUND' || !isReference(typed)) throw error
      missing = error
    }
    const meant = await this.#meant(typed)
    const full = formatReference(meant)
    if (full !== formatReference(parseReference(typed))) {
      const found = await look(full).catch((error: unknown) => {
        if (error instanceof EngineError && error.code === 'IMAGE_NOT_FOUND') return null
        throw error
      })
      if (found !== null) return found
    }
    if (policy === 'never') throw missing
    try {
      return await look(formatReference((await this.pull(typed, request)).reference))
    } catch (error) {
      throw notPulled(missing, error)
    }
  }

  async #meant(typed: string): Promise<Reference> {
    return resolveName(typed, await readConfiguration(this.#client.environment ?? process.env))
  }

  async #pull(client: RegistryClient, reference: Reference, { wish, progress, signal }: ImagePullRequest): Promise<Pulled> {
    const { store, journal, prune } = this.#parts
    const pulled = await pullImage({ store, client, prune }, reference, {
      wish,
      signal,
      ...(progress === undefined ? {} : { report: progress }),
    })
    const name = familiarReference(pulled.reference)
    journal.add('pull', { type: 'image', id: name, attributes: { name } })
    return pulled
  }
}

/** Both reasons why there is no such image. */
function notPulled(missing: EngineError, error: unknown): unknown {
  if (!(error instanceof EngineError) || error.code === 'ABORTED') return error
  const near = missing.data.nearest
  const hint = Array.isArray(near) && near.length > 0 ? missing.hint : error.hint
  return new EngineError(error.code, `${missing.message}, and it cannot be pulled: ${messageOf(error)}`, {
    cause: error,
    data: { ...missing.data, ...error.data },
    ...(hint === undefined ? {} : { hint }),
  })
}
