import type { Digest } from '../oci/digest.js'

/** Where a layer of an image that is being pulled has got to. */
export type LayerStatus =
  /** Known, and not begun. */
  | 'waiting'
  | 'downloading'
  /** Here, and its digest is right. */
  | 'downloaded'
  | 'extracting'
  | 'complete'
  /** It was here before. */
  | 'exists'

/** What happens while an image is pulled, in order. */
export type PullEvent =
  /** The registry knows it. */
  | { readonly event: 'found'; readonly tagOrDigest: string; readonly repository: string; readonly digest: Digest }
  /** `bytes` of `totalBytes` have come. */
  | { readonly event: 'layer'; readonly digest: Digest; readonly status: LayerStatus; readonly bytes: number; readonly totalBytes: number }
  /** Another process fetches it, or what has the same lock, and is waited for; it is gone on without it when that one is dead or stands still. */
  | { readonly event: 'held'; readonly digest: Digest; readonly pid: number }
  /** It is here, under its name. */
  | { readonly event: 'pulled'; readonly reference: string; readonly digest: Digest; readonly isNew: boolean }
