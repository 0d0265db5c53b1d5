import type { Digest } from '../oci/digest.js'

/** Where a layer of an image that is being pushed has got to. */
export type PushedLayerStatus =
  /** Known, and not begun. */
  | 'waiting'
  /** It is stored as a plain tar, and packed with gzip. */
  | 'packing'
  | 'pushing'
  | 'pushed'
  /** The registry has it already. */
  | 'exists'
  /** The registry has taken it from another of its repositories. */
  | 'mounted'
  /** It may not be handed on: the manifest says where it is. */
  | 'foreign'

/** What happens while an image is pushed, in order. */
export type PushEvent =
  /** `docker.io/library/app`. */
  | { readonly event: 'begun'; readonly repository: string }
  /** What an index lists and is not here, and so is not pushed: platforms, or digests of what says none. */
  | { readonly event: 'incomplete'; readonly reference: string; readonly missing: readonly string[] }
  | {
      readonly event: 'layer'
      /** As it is stored here; packed, it has another in the registry. */
      readonly digest: Digest
      readonly status: PushedLayerStatus
      /** Repository that it was mounted from. */
      readonly from?: string
      /** So many of `totalBytes` are sent. */
      readonly bytes: number
      readonly totalBytes: number
    }
  /** The registry has it under this name. */
  | { readonly event: 'pushed'; readonly tag: string; readonly digest: Digest; readonly size: number }
