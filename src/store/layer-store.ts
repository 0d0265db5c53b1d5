import type { DiffId } from '../oci/digest.js'

/** A layer that is on disk, uncompressed and indexed. */
export interface StoredLayer {
  readonly diffId: DiffId
  /** The uncompressed tar. */
  readonly tarPath: string
  /** Its index (`layer/index`), beside it. */
  readonly indexPath: string
}
