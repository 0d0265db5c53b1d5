import type { Digest } from './digest.js'
import type { Platform } from './platform.js'

/** What points to a blob: its media type, digest and size in bytes (image-spec, descriptor.md). */
export interface Descriptor {
  readonly mediaType: string
  readonly digest: Digest
  /** Bytes. */
  readonly size: number
  readonly platform?: Platform
  readonly annotations?: Readonly<Record<string, string>>
  /** Type of the artifact a manifest describes, when it is not an image. */
  readonly artifactType?: string
}

/** The descriptor with only what identifies a blob: no platform, no annotations of whoever pointed to it. */
export function bareDescriptor({ mediaType, digest, size }: Descriptor): Descriptor {
  return { mediaType, digest, size }
}
