import type { Compression } from '../layer/compression.js'
import type { DiffId, Digest } from '../oci/digest.js'
import type { ContainerConfig } from '../oci/image-spec.js'
import type { Platform } from '../oci/platform.js'
import type { PullEvent } from '../registry/pull-event.js'
import type { PushEvent } from '../registry/push-event.js'

/** One platform of an image: what `run --platform` can choose. */
export interface ImagePlatform {
  readonly platform: Platform
  /** Digest of its manifest. */
  readonly manifest: Digest
  /** Bytes of its layers and config as stored. */
  readonly sizeBytes: number
  readonly createdAt: Date | null
}

/** One image of the store: a row of `images`. */
export interface ImageSummary {
  /** Digest of the manifest, or of the index when it has several platforms. */
  readonly id: Digest
  /** Names in their familiar form, `alpine:3.20`; empty for an image without a name. */
  readonly references: readonly string[]
  readonly platforms: readonly ImagePlatform[]
  /** Bytes of all its blobs as stored, shared ones once. */
  readonly sizeBytes: number
  readonly createdAt: Date | null
  /** Why it cannot be read, for a damaged image; it can still be removed. */
  readonly problem: string | null
}

/** The part of an image's config that `run` uses, in the words of the image spec. */
export interface ImageProcess {
  readonly entrypoint: readonly string[]
  readonly cmd: readonly string[]
  /** `NAME=value`. */
  readonly env: readonly string[]
  readonly workingDir: string
  readonly user: string
  readonly labels: Readonly<Record<string, string>>
}

/** An image for one platform, in full: what `inspect` prints. */
export interface ImageDetails extends ImageSummary {
  /** The platform that was chosen. */
  readonly platform: Platform
  /** Digest of its manifest. */
  readonly manifest: Digest
  /** Digest of its config. */
  readonly config: Digest
  readonly process: ImageProcess
  /** All defaults of its containers in the config's own words (config.md), those of {@link process} among them. */
  readonly containerConfig: ContainerConfig
  /** Who made it; empty when nobody is named. */
  readonly author: string
  /** What its last step says of itself; empty when it says nothing. */
  readonly comment: string
  /** Digests of the uncompressed layers, base first. */
  readonly diffIds: readonly DiffId[]
}

/** What `images.commit` makes of a container. */
export interface CommitOptions {
  /** Name for the new image, `debian` or `example.com/tools:1`. */
  readonly reference?: string
  /** Dockerfile instructions over the container's config, `CMD ["sh"]`. */
  readonly changes?: readonly string[]
  readonly author?: string
  /** Comment in the image's history. */
  readonly message?: string
  /** Stops a running native container's processes while its files are read; so it is unless false. */
  readonly pause?: boolean
  readonly signal?: AbortSignal
}

/** What `images.save` takes. */
export interface SaveOptions {
  /** `docker-archive` unless said, which is an OCI layout too; `oci-archive` leaves out what only docker reads. */
  readonly format?: 'docker-archive' | 'oci-archive'
  /** Of the layers; as they are stored unless said. */
  readonly compression?: Compression
  /** Of an image for several platforms, the one that alone is saved. */
  readonly platform?: string
  readonly signal?: AbortSignal
}

/** What `images.import` makes of a root tar or a bare module. */
export interface ImportOptions {
  /** Name for the new image, `debian` or `example.com/tools:1`. */
  readonly reference?: string
  /** `linux/amd64`, `wasi/wasm`; this machine's Linux for a tar and `wasi/wasm` for a module unless said. */
  readonly platform?: string
  /** Defaults of its containers. */
  readonly process?: Partial<ImageProcess>
  /** Dockerfile instructions over these, `CMD ["sh"]`. */
  readonly changes?: readonly string[]
  /** Comment in the image's history. */
  readonly message?: string
  readonly signal?: AbortSignal
}

/** What `images.pull` takes. */
export interface PullOptions {
  /** `linux/arm64`, `wasi/wasm`; this machine's Linux, else `wasi/wasm`, unless said. */
  readonly platform?: string
  /** Brings everything that an index lists. */
  readonly allPlatforms?: boolean
  /** Told what happens, in order. */
  readonly progress?: (event: PullEvent) => void
  /** Stops it, with ABORTED; nothing of it is kept. */
  readonly signal?: AbortSignal
}

/** An image that was pulled, under the name it was pulled by. */
export interface PulledImage extends ImageSummary {
  /** That name in full: `docker.io/library/alpine:3.20`, or with a digest instead of the tag. */
  readonly reference: string
  /** Whether anything had to come, or the name meant another image before. */
  readonly isNew: boolean
}

/** What `images.push` takes. */
export interface PushOptions {
  /** Pushes all tags there are here of the repository that is named. */
  readonly allTags?: boolean
  /** Of an image for several platforms, the one that alone is pushed: `linux/arm64`. */
  readonly platform?: string
  /** Told what happens, in order. */
  readonly progress?: (event: PushEvent) => void
  /** Stops it, with ABORTED; nothing of it is left here. */
  readonly signal?: AbortSignal
}

/** An image that a registry has been given. */
export interface PushedImage {
  /** Its name in full: `docker.io/library/alpine:3.20`. */
  readonly reference: string
  /** Of its manifest or index in the registry: another than here when layers were packed or platforms left out. */
  readonly digest: Digest
  /** Bytes of that document. */
  readonly sizeBytes: number
  /** Platforms that its index lists and that are not here: they were left out. */
  readonly missing: readonly string[]
}
