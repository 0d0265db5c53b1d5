import type { TarFile } from '../src/image/file-tar.js'
import type { ContainerConfig } from '../src/oci/image-spec.js'
import type { Platform } from '../src/oci/platform.js'

/** One platform of an image to make. */
export interface RecipePart {
  readonly platform: Platform
  readonly files: readonly TarFile[]
  readonly config: ContainerConfig
}

/** What a recipe came to: the parts that can be made on this host, and why others cannot. */
export interface Prepared {
  /** Changes when what goes into the image does. */
  readonly fingerprint: string
  /** Empty when nothing can be made. */
  readonly parts: readonly RecipePart[]
  /** A sentence for each platform that is left out. */
  readonly missing: readonly string[]
}

/** How one sample image is made: a folder in `images/`. */
export interface Recipe {
  /** Name of the image. */
  readonly name: string
  /** Looks at what is there, compiles what must be compiled; `directory` is empty and removed afterwards. */
  prepare(directory: string): Promise<Prepared>
}
