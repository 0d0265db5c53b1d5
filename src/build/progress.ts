import type { Digest } from '../oci/digest.js'
import type { PullEvent } from '../registry/pull-event.js'

/** What happens while an image is built, in order. */
export type BuildEvent =
  /** The steps for this platform begin; told where there are several. */
  | { readonly event: 'platform'; readonly platform: string }
  /** An instruction begins: the first of `total` is number 1. */
  | { readonly event: 'step'; readonly number: number; readonly total: number; readonly instruction: string }
  /** A container of a RUN was made. */
  | { readonly event: 'running'; readonly container: string }
  /** The program of a RUN wrote something. */
  | { readonly event: 'output'; readonly stream: 'stdout' | 'stderr'; readonly bytes: Uint8Array }
  /** The container of a RUN is gone. */
  | { readonly event: 'removed'; readonly container: string }
  /** The instruction has made this image. */
  | { readonly event: 'image'; readonly id: Digest }
  /** The image of a FROM is being pulled. */
  | { readonly event: 'pull'; readonly progress: PullEvent }
  /** Something that the user may not have meant, as a sentence. */
  | { readonly event: 'warning'; readonly message: string }
