import type { Readable } from 'node:stream'
import type { Descriptor } from '../oci/descriptor.js'
import type { Digest } from '../oci/digest.js'

/** Where blobs can be read from: the store's layout, or an ingest that is not committed yet. */
export interface BlobSource {
  has(digest: Digest): Promise<boolean>
  /** The blob's bytes as a stream, with its size checked. Rejects with INVALID_IMAGE when it is missing or of another size. */
  open(descriptor: Descriptor): Promise<Readable>
  /** The whole of a small blob, with size and digest checked. Rejects with INVALID_IMAGE, DIGEST_MISMATCH. */
  readDocument(descriptor: Descriptor): Promise<Uint8Array>
  /** Path of the blob's file, for what reads by position. It may go when the blob's last reference does. */
  pathOf(digest: Digest): Promise<string | null>
}
