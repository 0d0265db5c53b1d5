import { Readable } from 'node:stream'
import type { Container } from '../container/container.js'
import type { ImageForContainer, Workshop } from '../container/create.js'
import type { Journal } from '../container/journal.js'
import { summaryOf } from '../container/record.js'
import type { ContainerState } from '../container/state.js'
import { EngineError } from '../errors.js'
import type { OpenNodeFs } from '../fs/node-fs.js'
import { findImage } from '../image/find.js'
import type { ImageStep } from '../image/history.js'
import type { ListedImage } from '../image/list.js'
import { hostPlatform, namedPlatform, type PlatformWish, selectImage } from '../image/platform-select.js'
import type { RemovedImage } from '../image/remove.js'
import type { Descriptor } from '../oci/descriptor.js'
import type { Digest } from '../oci/digest.js'
import type { ContainerConfig } from '../oci/image-spec.js'
import { type Platform, WASI_PLATFORM } from '../oci/platform.js'
import { familiarReference, isReference, parseReference, withDefaultTag } from '../reference/normalize.js'
import { formatReference, type Reference } from '../reference/reference.js'
import type { Pulled } from '../registry/pull.js'
import type { PullEvent } from '../registry/pull-event.js'
import type { FoundRepository } from '../registry/search.js'
import type { Store } from '../store/store.js'
import type { BuildOptions } from './build-options.js'
import type { ImageFsOptions } from './image-fs.js'
import type { ImageManifests, ManifestOptions } from './image-manifests.js'
import type { ImagePullRequest, ImagePulls, LazyImageRequest, OpenedLazyImage, PullPolicy } from './image-pulls.js'
import type { SearchOptions } from './image-search.js'
import type {
  CommitOptions,
  ImageDetails,
  ImageProcess,
  ImageSummary,
  ImportOptions,
  PulledImage,
  PullOptions,
  PushedImage,
  PushOptions,
  SaveOptions,
} from './image-summary.js'
import { pruneOptions } from './prune-options.js'

/** Chooses one of an image's platforms; this machine's Linux, or else `wasi/wasm`, unless said. */
export interface PlatformOption {
  readonly platform?: string
}

/** What a name or an id stands for. */
export interface ResolvedImage {
  /** Digest of the manifest, or of the index when it has several platforms. */
  readonly id: Digest
  /** Digest of the manifest for the platform. */
  readonly manifest: Digest
  readonly platform: Platform
}

export type { ImageStep } from '../image/history.js'

/** What {@link Images} stands on beside the store. */
export interface ImagesParts {
  readonly journal: Journal
  readonly workshop: () => Promise<Workshop>
}

/**
 * The engine's images; what each call needs is loaded when it is first made, for most processes only run containers. A reference is a name, a name with a digest, an id, or the start of an id.
 */
export class Images {
  readonly #store: Store
  readonly #containers: ContainerState
  readonly #workshop: () => Promise<Workshop>
  readonly #journal: Journal

  /** @internal */
  constructor(store: Store, containers: ContainerState, { journal, workshop }: ImagesParts) {
    this.#store = store
    this.#containers = containers
    this.#journal = journal
    this.#workshop = workshop
  }

  /** Loads an OCI or Docker archive, from a path (a file or an OCI layout's folder) or a stream, and returns what it held. */
  async load(source: string | Readable, options: { readonly signal?: AbortSignal } = {}): Promise<readonly ImageSummary[]> {
    const { loadImages } = await import('../image/load.js')
    const loaded = await loadImages(this.#store, source, options)
    const byId = new Map<Digest, { readonly descriptor: Descriptor; readonly names: Reference[] }>()
    for (const { descriptor, reference } of loaded) {
      const image = byId.get(descriptor.digest) ?? { descriptor, names: [] }
      if (reference !== null) image.names.push(reference)
      byId.set(descriptor.digest, image)
    }
    for (const { descriptor, names } of byId.values()) {
      const [name = null] = names
      this.#happened('load', descriptor.digest, name)
    }
    return Promise.all([...byId.values()].map(({ descriptor, names }) => this.#summary(descriptor, names)))
  }

  /**
   * Brings an image from its registry, by a name with a tag (`latest` unless said) or a digest; it is unpacked and checked before its name points
   * to it. Rejects with IMAGE_NOT_FOUND, PLATFORM_NOT_FOUND, ACCESS_DENIED, REGISTRY_FAILED, DIGEST_MISMATCH, UNSUPPORTED_MEDIA_TYPE, ABORTED.
   */
  async pull(reference: string, options: PullOptions = {}): Promise<PulledImage> {
    return this.#pulledImage(await (await this.#pulls()).pull(reference, pullRequestOf(options)))
  }

  /** Brings all tags of a repository. Rejects likewise; those that were here by then stay. */
  async pullAllTags(repository: string, options: PullOptions = {}): Promise<readonly PulledImage[]> {
    const pulled = await (await this.#pulls()).pullAllTags(repository, pullRequestOf(options))
    return Promise.all(pulled.map((image) => this.#pulledImage(image)))
  }

  /**
   * Gives an image to its registry, by the name that it has here with a tag (`latest` unless said), or all tags of that name. Layers that are stored
   * as plain tars are packed with gzip on the way. Rejects with IMAGE_NOT_FOUND, PLATFORM_NOT_FOUND, ACCESS_DENIED, REGISTRY_FAILED,
   * DIGEST_MISMATCH, INVALID_IMAGE, ABORTED.
   */
  async push(reference: string, options: PushOptions = {}): Promise<readonly PushedImage[]> {
    const { allTags = false, platform, progress, signal } = options
    const { pushNamed } = await import('./image-pushes.js')
    const pushed = await pushNamed({ store: this.#store, journal: this.#journal }, reference, {
      allTags,
      wish: platform === undefined ? undefined : wishOf({ platform }),
      progress,
      signal,
    })
    return pushed.map(({ reference, descriptor: { digest, size }, missing }) => ({
      reference: formatReference(reference),
      digest,
      sizeBytes: size,
      missing,
    }))
  }

  /**
   * What a registry has by a part of its name: of the default registry, or of the one that the term begins with. Rejects with ACCESS_DENIED,
   * REGISTRY_FAILED, LIMIT_EXCEEDED, ABORTED.
   */
  async search(term: string, options: SearchOptions = {}): Promise<readonly FoundRepository[]> {
    const { searchImages } = await import('./image-search.js')
    return searchImages(term, options)
  }

  /** Tags that a registry has of a repository. Rejects likewise, and with IMAGE_NOT_FOUND. */
  async tags(repository: string, options: SearchOptions = {}): Promise<{ readonly name: string; readonly tags: readonly string[] }> {
    const { imageTags } = await import('./image-search.js')
    return imageTags(repository, options)
  }

  /**
   * The manifest or index that a registry has under a name, or, where it has none, that is here; nothing is kept. Rejects with IMAGE_NOT_FOUND,
   * ACCESS_DENIED, REGISTRY_FAILED, DIGEST_MISMATCH, UNSUPPORTED_MEDIA_TYPE, ABORTED.
   */
  async manifest(reference: string, options: ManifestOptions = {}): Promise<ImageManifests> {
    const { imageManifests } = await import('./image-manifests.js')
    return imageManifests(this.#store, reference, options)
  }

  /** The image a container is to be made of, pulled as the policy says. @internal */
  async forContainer(
    reference: string,
    policy: PullPolicy,
    request: ImagePullRequest & { readonly wish: PlatformWish },
  ): Promise<ImageForContainer> {
    const look = (name: string) => imageForContainer(this.#store, name, request.wish)
    // Nearly always it is here, and nothing of the registry has to be loaded.
    if (policy !== 'always')
      try {
        return await look(reference)
      } catch (error) {
        if (!(error instanceof EngineError) || error.code !== 'IMAGE_NOT_FOUND') throw error
      }
    return (await this.#pulls()).find(reference, policy, look, request)
  }

  /**
   * The image a container is to be made of while it comes: from the store where it is there, else opened in its registry. Rejects as
   * `LazyImage.open`. @internal
   */
  async forLazyContainer(
    reference: string,
    request: LazyImageRequest,
  ): Promise<{ readonly found: ImageForContainer; readonly opened: OpenedLazyImage | null }> {
    try {
      return { found: await imageForContainer(this.#store, reference, request.wish), opened: null }
    } catch (error) {
      if (!(error instanceof EngineError) || error.code !== 'IMAGE_NOT_FOUND' || !isReference(reference)) throw error
    }
    const opened = await (await this.#pulls()).openLazily(reference, request)
    const { os, architecture, variant } = await opened.image.config()
    const platform = { os, architecture, ...(variant === undefined ? {} : { variant }) }
    return { found: { id: opened.image.descriptor.digest, image: opened.image, platform }, opened }
  }

  /** Makes an image of a root file system's tar or of a `.wasm` module. */
  async import(source: string | Readable, options: ImportOptions = {}): Promise<ImageSummary> {
    const { reference, platform, process, changes, message, signal } = options
    const name = reference === undefined ? null : nameFor(reference)
    const { importImage } = await import('../image/import.js')
    const descriptor = await importImage(this.#store, source, {
      ...(name === null ? {} : { reference: name }),
      ...(platform === undefined ? {} : { platform: namedPlatform(platform) }),
      ...(process === undefined ? {} : { config: configOf(process) }),
      ...(changes === undefined ? {} : { changes }),
      ...(message === undefined ? {} : { message }),
      ...(signal === undefined ? {} : { signal }),
    })
    this.#happened('import', descriptor.digest, name)
    return this.#summary(descriptor, name === null ? [] : [name])
  }

  /**
   * Makes an image of a container: its image with what it has written as one more layer, and with its options as defaults. Volumes and binds are
   * left out. Rejects with CONFLICT where only the guest has what it wrote, INVALID_ARGUMENT.
   */
  async commit(container: Container, options: CommitOptions = {}): Promise<ImageSummary> {
    const { reference, changes, author, message, pause = true, signal } = options
    const name = reference === undefined ? null : nameFor(reference)
    const { commitImage } = await import('../image/commit.js')
    // Behind the Wasm wall only the sandbox has the files, and one that is stopped answers nobody.
    const isPaused = pause && container.runtime !== 'wasm' && container.status === 'running'
    if (isPaused) await container.pause()
    try {
      const descriptor = await commitImage(this.#store, {
        base: container.image.manifest,
        config: (image) => container.committedConfig(image),
        layer: () => container.layer(),
        step: {
          created: new Date().toISOString(),
          created_by: container.summary().command.join(' '),
          ...(author === undefined ? {} : { author }),
          ...(message === undefined ? {} : { comment: message }),
        },
        ...(name === null ? {} : { reference: name }),
        ...(changes === undefined ? {} : { changes }),
        ...(signal === undefined ? {} : { signal }),
      })
      const attributes = { comment: message ?? '', image: container.image.reference, name: container.name }
      this.#journal.add('commit', { type: 'container', id: container.id, attributes })
      return this.#summary(descriptor, name === null ? [] : [name])
    } finally {
      if (isPaused) await container.unpause()
    }
  }

  /**
   * Builds an image of a Dockerfile. Rejects with INVALID_ARGUMENT and NOT_BUILT, the Dockerfile's line in the message, IMAGE_NOT_FOUND, and
   * BUILD_FAILED when a RUN ends with anything but 0 (`data.exitCode`). Nothing is kept of a build that fails.
   */
  async build(options: BuildOptions): Promise<ImageSummary> {
    const { context, dockerfile, dockerfileText, tags = [], target, platform, signal } = options
    const references = tags.map(nameFor)
    const { buildImage } = await import('../build/build.js')
    const { pull: policy = 'never' } = options
    const report = options.onEvent ?? (() => {})
    const progress = (event: PullEvent) => report({ event: 'pull', progress: event })
    const base = async (name: string, wish: PlatformWish) =>
      (await this.#pulls()).find(name, policy, (known) => findImage(this.#store, known), { wish, progress, signal })
    const descriptor = await buildImage(
      { store: this.#store, workshop: this.#workshop, prune: () => this.#prune(), base },
      {
        context: context ?? null,
        references,
        buildArgs: options.buildArgs ?? {},
        labels: options.labels ?? {},
        platforms: platform === undefined ? [] : platform.split(',').map(namedPlatform),
        bounds: { network: options.network ?? 'none', limits: options.limits ?? {}, resources: options.resources ?? {} },
        created: options.created ?? new Date(),
        report,
        ...(dockerfile === undefined ? {} : { dockerfile }),
        ...(dockerfileText === undefined ? {} : { dockerfileText }),
        ...(target === undefined ? {} : { target }),
        ...(signal === undefined ? {} : { signal }),
      },
    )
    for (const reference of references) this.#happened('tag', descriptor.digest, reference)
    return this.#summary(descriptor, references)
  }

  /**
   * Images as one tar, in pieces: destroy it when it is not read to its end. A name without a tag means all its tags. The same images give the
   * same bytes. Rejects with IMAGE_NOT_FOUND, PLATFORM_NOT_FOUND, INVALID_IMAGE, and UNSUPPORTED_BY_HOST for zstd where Node has none.
   */
  async save(images: readonly string[], options: SaveOptions = {}): Promise<Readable> {
    const { format = 'docker-archive', compression, platform, signal } = options
    const { saveImages } = await import('../image/save.js')
    const archive = saveImages(this.#store, {
      images,
      format,
      ...(compression === undefined ? {} : { compression }),
      ...(platform === undefined ? {} : { wish: wishOf(options) }),
      ...(signal === undefined ? {} : { signal }),
    })
    // What is wrong is said here, and not by a stream that has begun.
    const first = await archive.next()
    await this.#saved(images)
    async function* all(): AsyncGenerator<Uint8Array> {
      try {
        if (!first.done) yield first.value
        yield* archive
      } finally {
        await archive.return()
      }
    }
    return Readable.from(all(), { objectMode: false })
  }

  /**
   * Images as the folder of an OCI layout, which skopeo, umoci and buildah read as `oci:FOLDER`: there as a whole or not at all. Rejects as
   * {@link save}, and with INVALID_ARGUMENT where there is something already.
   */
  async saveLayout(images: readonly string[], folder: string, options: Omit<SaveOptions, 'format'> = {}): Promise<void> {
    const { compression, platform, signal } = options
    const { assertLayoutFolder, saveLayout } = await import('../image/save.js')
    await assertLayoutFolder(folder)
    await saveLayout(this.#store, folder, {
      images,
      ...(compression === undefined ? {} : { compression }),
      ...(platform === undefined ? {} : { wish: wishOf(options) }),
      ...(signal === undefined ? {} : { signal }),
    })
    await this.#saved(images)
  }

  async #saved(images: readonly string[]): Promise<void> {
    for (const text of images) {
      const { descriptor, reference } = await findImage(this.#store, text).catch(() => ({ descriptor: null, reference: null }))
      if (descriptor !== null) this.#happened('save', descriptor.digest, reference)
    }
  }

  /** All images, newest first. */
  async list(): Promise<readonly ImageSummary[]> {
    const { listImages } = await import('../image/list.js')
    return (await listImages(this.#store)).map(summaryOfListed)
  }

  /** An image in full, for one platform: this machine's, else `wasi/wasm`, else its first, unless said. Rejects with IMAGE_NOT_FOUND naming what is near, PLATFORM_NOT_FOUND. */
  async inspect(reference: string, options: PlatformOption = {}): Promise<ImageDetails> {
    const { summary, image, platform } = await this.#chosen(reference, options)
    const [config, manifest] = await Promise.all([image.config(), image.manifest()])
    return {
      ...summary,
      platform,
      manifest: image.descriptor.digest,
      config: manifest.config.digest,
      process: processOf(config.config ?? {}),
      containerConfig: config.config ?? {},
      author: config.author ?? '',
      comment: config.history?.at(-1)?.comment ?? '',
      diffIds: config.rootfs.diff_ids,
    }
  }

  /**
   * An image's files as `node:fs`, only to be read: a library that takes an `fs` can be given this one. Dispose of it (`await using`). Rejects
   * with IMAGE_NOT_FOUND naming what is near, PLATFORM_NOT_FOUND.
   */
  async fs(reference: string, options: ImageFsOptions = {}): Promise<OpenNodeFs> {
    const { openImageFs } = await import('./image-fs.js')
    const { image } = await this.#chosen(reference, options)
    return openImageFs(this.#store.layers, image, options)
  }

  /** How an image for one platform came to be, newest step first. Rejects with IMAGE_NOT_FOUND naming what is near, PLATFORM_NOT_FOUND. */
  async history(reference: string, options: PlatformOption = {}): Promise<readonly ImageStep[]> {
    const { descriptor, image } = await this.#chosen(reference, options)
    const { imageSteps } = await import('../image/history.js')
    return imageSteps(descriptor.digest, await image.manifest(), await image.config())
  }

  /** What a reference stands for. Rejects with IMAGE_NOT_FOUND naming what is near, PLATFORM_NOT_FOUND. */
  async resolve(reference: string, options: PlatformOption = {}): Promise<ResolvedImage> {
    const { id, image, platform } = await imageForContainer(this.#store, reference, wishOf(options))
    return { id, manifest: image.descriptor.digest, platform }
  }

  /** Gives an image another name, taking it from the image that had it. */
  async tag(source: string, target: string): Promise<void> {
    const { tagImage } = await import('../image/tag.js')
    const { descriptor, reference } = await tagImage(this.#store, source, target)
    this.#happened('tag', descriptor.digest, reference)
  }

  /**
   * Removes a name, and with the last one the image. By its id an image with several names is removed only with `force`. Rejects with
   * CONFLICT when a container uses it, unless `force`; the image of a container that runs stays in any case. With `unnamed` also when it
   * has a name.
   */
  async remove(
    reference: string,
    { force = false, unnamed = false }: { readonly force?: boolean; readonly unnamed?: boolean } = {},
  ): Promise<RemovedImage> {
    const { removeImage } = await import('../image/remove.js')
    const removed = await removeImage(this.#store, reference, {
      force,
      unnamed,
      ...pruneOptions(this.#store.root, this.#containers),
      uses: async () =>
        (await this.#containers.list()).map((record) => ({
          container: record.name,
          running: summaryOf(record).status === 'running',
          image: record.image.id,
        })),
    })
    for (const name of removed.untagged) this.#happened('untag', removed.id, name)
    for (const id of removed.deleted) this.#happened('delete', id, null)
    return removed
  }

  /** One platform of an image to look at: what is for another machine cannot be run here, but can be looked at. */
  async #chosen(reference: string, options: PlatformOption) {
    const { descriptor, names } = await findImage(this.#store, reference)
    const summary = await this.#summary(descriptor, names)
    return { descriptor, summary, ...(await selectImage(this.#store.layout, descriptor, lookingWish(summary, options))) }
  }

  async #pulls(): Promise<ImagePulls> {
    const { ImagePulls } = await import('./image-pulls.js')
    return new ImagePulls({ store: this.#store, journal: this.#journal, prune: () => this.#prune() })
  }

  async #pulledImage({ descriptor, reference, isNew }: Pulled): Promise<PulledImage> {
    return { ...(await this.#summary(descriptor, [reference])), reference: formatReference(reference), isNew }
  }

  async #prune(): Promise<void> {
    const { prune } = await import('../store/prune.js')
    await prune(this.#store, pruneOptions(this.#store.root, this.#containers))
  }

  #happened(action: string, id: Digest, name: Reference | string | null): void {
    const shown = name === null ? id : typeof name === 'string' ? name : familiarReference(name)
    this.#journal.add(action, { type: 'image', id, attributes: { name: shown } })
  }

  async #summary(descriptor: Descriptor, names: readonly Reference[]): Promise<ImageSummary> {
    const { describeImage } = await import('../image/list.js')
    return summaryOfListed({ ...(await describeImage(this.#store, [], descriptor)), names })
  }
}

/** The image a container is to be made of. Rejects with IMAGE_NOT_FOUND, PLATFORM_NOT_FOUND. */
export async function imageForContainer(store: Store, reference: string, wish: PlatformWish): Promise<ImageForContainer> {
  const { descriptor } = await findImage(store, reference)
  const { image, platform } = await selectImage(store.layout, descriptor, wish)
  return { id: descriptor.digest, image, platform }
}

function summaryOfListed({ descriptor, names, platforms, sizeBytes, createdAt, problem }: ListedImage): ImageSummary {
  return { id: descriptor.digest, references: names.map(familiarReference), platforms, sizeBytes, createdAt, problem }
}

/** What is for another machine cannot be run here, but can be looked at. */
function lookingWish({ platforms }: ImageSummary, options: PlatformOption): PlatformWish {
  if (options.platform !== undefined) return wishOf(options)
  return { preferred: [hostPlatform(), WASI_PLATFORM, ...platforms.map((offered) => offered.platform)] }
}

function pullRequestOf({ platform, allPlatforms = false, progress, signal }: PullOptions): ImagePullRequest {
  if (allPlatforms && platform !== undefined)
    throw new EngineError('INVALID_ARGUMENT', 'one platform and all of them cannot be pulled at once', {
      hint: 'Leave one of the two out.',
    })
  return { wish: allPlatforms ? 'all' : wishOf(platform === undefined ? {} : { platform }), progress, signal }
}

function wishOf({ platform }: PlatformOption): PlatformWish {
  return platform === undefined ? {} : { platform: namedPlatform(platform) }
}

/** A name to give: no digest, `latest` unless tagged. */
function nameFor(typed: string): Reference {
  const reference = withDefaultTag(parseReference(typed))
  if (reference.digest === undefined) return reference
  throw new EngineError('INVALID_REFERENCE', `a digest cannot be given as a name: ${typed}`, { hint: 'Leave out what follows the @.' })
}

function processOf(config: ContainerConfig): ImageProcess {
  return {
    entrypoint: config.Entrypoint ?? [],
    cmd: config.Cmd ?? [],
    env: config.Env ?? [],
    workingDir: config.WorkingDir ?? '',
    user: config.User ?? '',
    labels: config.Labels ?? {},
  }
}

function configOf({ entrypoint, cmd, env, workingDir, user, labels }: Partial<ImageProcess>): ContainerConfig {
  return {
    ...(entrypoint === undefined ? {} : { Entrypoint: entrypoint }),
    ...(cmd === undefined ? {} : { Cmd: cmd }),
    ...(env === undefined ? {} : { Env: env }),
    ...(workingDir === undefined ? {} : { WorkingDir: workingDir }),
    ...(user === undefined ? {} : { User: user }),
    ...(labels === undefined ? {} : { Labels: labels }),
  }
}
