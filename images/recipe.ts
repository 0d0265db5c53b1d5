import type { Platform } from '../src/oci/platform.js'

/** What a recipe came to: what can be built on this host, and why the rest cannot. */
export interface Prepared {
  /** Changes when what goes into the image does. */
  readonly fingerprint: string
  /** Empty when nothing can be built. */
  readonly platforms: readonly Platform[]
  /** Values for the Dockerfile's ARGs. */
  readonly buildArgs: Readonly<Record<string, string>>
  /** A sentence for each platform that is left out. */
  readonly missing: readonly string[]
}

/** What has to be there before the Dockerfile of a folder in `images/` can be built. */
export interface Recipe {
  /** Name of the image and of its folder. */
  readonly name: string
  /** Compiles or copies into `directory`, which is empty and removed afterwards, what the Dockerfile copies. */
  prepare(directory: string): Promise<Prepared>
}
