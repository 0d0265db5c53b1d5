/**
 * The documents of an image, in the words of the OCI image-spec. Docker's schema 2 differs in media types only, so it has no
 * types of its own here. `document.ts` reads and checks them; nothing else makes a value of these types out of foreign JSON.
 */
import type { Descriptor } from './descriptor.js'
import type { DiffId } from './digest.js'
import type { Platform } from './platform.js'

/** Image manifest: one config and the layers, base first (manifest.md). */
export interface Manifest {
  readonly schemaVersion: 2
  readonly mediaType?: string
  readonly artifactType?: string
  readonly config: Descriptor
  readonly layers: readonly Descriptor[]
  readonly subject?: Descriptor
  readonly annotations?: Readonly<Record<string, string>>
}

/** Image index: manifests for several platforms, or other indexes (image-index.md). */
export interface Index {
  readonly schemaVersion: 2
  readonly mediaType?: string
  readonly artifactType?: string
  readonly manifests: readonly Descriptor[]
  readonly subject?: Descriptor
  readonly annotations?: Readonly<Record<string, string>>
}

/** What a container of this image runs by default: the `config` member of an image config (config.md). Docker's names. */
export interface ContainerConfig {
  readonly User?: string
  readonly ExposedPorts?: Readonly<Record<string, object>>
  /** `NAME=value`. */
  readonly Env?: readonly string[]
  readonly Entrypoint?: readonly string[]
  readonly Cmd?: readonly string[]
  readonly Volumes?: Readonly<Record<string, object>>
  readonly WorkingDir?: string
  readonly Labels?: Readonly<Record<string, string>>
  readonly StopSignal?: string
  /** Docker's extension: instructions for images built on this one. */
  readonly OnBuild?: readonly string[]
  /** Docker's extension: the shell of a shell-form CMD. */
  readonly Shell?: readonly string[]
  /** Docker's extension. Durations are nanoseconds. */
  readonly Healthcheck?: Readonly<Record<string, unknown>>
}

/** How one layer, or one change of the config alone, came to be. */
export interface History {
  /** RFC 3339. */
  readonly created?: string
  readonly created_by?: string
  readonly author?: string
  readonly comment?: string
  /** True when this step made no layer. */
  readonly empty_layer?: boolean
}

/** Image config (config.md): the platform, the defaults, and the digests of the uncompressed layers. */
export interface ImageConfig extends Platform {
  /** RFC 3339. */
  readonly created?: string
  readonly author?: string
  readonly config?: ContainerConfig
  readonly rootfs: { readonly type: 'layers'; readonly diff_ids: readonly DiffId[] }
  readonly history?: readonly History[]
}

/** Config of a Wasm OCI artifact (CNCF TAG Runtime, "Wasm OCI Artifact layout"): a module instead of layers. */
export interface WasmArtifactConfig extends Platform {
  readonly created?: string
  readonly author?: string
  /** Digests of the layers, in the order of the manifest. */
  readonly layerDigests: readonly string[]
}
