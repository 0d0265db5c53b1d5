import type { Readable } from 'node:stream'
import type { Digest } from '../oci/digest.js'
import type { Platform } from '../oci/platform.js'

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
  /** Bytes of all its blobs as stored. */
  readonly sizeBytes: number
  readonly createdAt: Date | null
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
  /** Digests of the uncompressed layers, base first. */
  readonly diffIds: readonly Digest[]
}

/** What {@link Images.import} makes of a root tar or a bare module. */
export interface ImportOptions {
  /** Name for the new image, `debian` or `example.com/tools:1`. */
  readonly reference?: string
  /** `linux/amd64`, `wasi/wasm`; this machine's Linux for a tar and `wasi/wasm` for a module unless said. */
  readonly platform?: string
  readonly entrypoint?: readonly string[]
  readonly command?: readonly string[]
  /** `NAME=value`. */
  readonly env?: readonly string[]
  readonly workingDir?: string
  readonly user?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly message?: string
}

/** The engine's images. */
export interface Images {
  /** Loads an OCI or Docker archive, from a path (a file or an OCI layout's folder) or a stream, and returns what it held. */
  load(source: string | Readable): Promise<readonly ImageSummary[]>
  /** Makes an image of a root file system's tar or of a `.wasm` module. */
  import(source: string | Readable, options?: ImportOptions): Promise<ImageSummary>
  list(): Promise<readonly ImageSummary[]>
  /** Looks an image up by name or id prefix. Rejects with IMAGE_NOT_FOUND naming what is near, PLATFORM_NOT_FOUND. */
  inspect(reference: string, options?: { readonly platform?: string }): Promise<ImageDetails>
  /** Gives an image another name, taking it from the image that had it. */
  tag(source: string, target: string): Promise<void>
  /** Removes a name, and the image when it was the last one. CONFLICT while a container uses it, unless `force`. */
  remove(
    reference: string,
    options?: { readonly force?: boolean },
  ): Promise<{ readonly untagged: readonly string[]; readonly deleted: readonly Digest[] }>
}
