/**
 * An image that is run before it is here: its documents come at once, its layers when they are read. Nothing of it is the store's: documents
 * and what has come of layers lie in an ingest, which goes when the image is disposed of.
 */
import { EngineError } from '../errors.js'
import { type Image, openImage } from '../image/image.js'
import type { PlatformWish } from '../image/platform-select.js'
import type { Digest } from '../oci/digest.js'
import { MEDIA_TYPE } from '../oci/media-type.js'
import { familiarReference, withDefaultTag } from '../reference/normalize.js'
import type { Reference } from '../reference/reference.js'
import type { Ingest } from '../store/ingest.js'
import type { Layer } from '../store/layer-store.js'
import type { Store } from '../store/store.js'
import type { RegistryClient } from './client.js'
import { LazyLayer } from './lazy-layer.js'
import { RemoteImage } from './remote-image.js'
import { aborted } from './session.js'

/** What {@link LazyImage.open} stands on. */
export interface LazyImageParts {
  readonly store: Store
  readonly client: RegistryClient
  readonly reference: Reference
  readonly wish: PlatformWish
  /** Ends the opening. */
  readonly signal?: AbortSignal | undefined
  /** Told what kept contents away from who reads them. */
  readonly failed?: (error: unknown) => void
}

/** An image whose layers come when they are read. Dispose of it when nothing reads it any more. */
export class LazyImage implements AsyncDisposable {
  private constructor(
    /** With layers that are read without being in the store. */
    readonly image: Image,
    private readonly opened: readonly LazyLayer[],
    private readonly ingest: Ingest,
    private readonly life: AbortController,
  ) {}

  /**
   * Opens an image. Layers that the store has are read from there. Rejects with UNSUPPORTED_MEDIA_TYPE for one that has a layer without a table
   * of contents, and as `pullImage`.
   */
  static async open({ store, client, reference, wish, signal, failed }: LazyImageParts): Promise<LazyImage> {
    const life = new AbortController()
    const stop = () => life.abort(signal?.reason)
    if (signal?.aborted) throw aborted(signal)
    signal?.addEventListener('abort', stop)
    const meant = reference.digest === undefined ? withDefaultTag(reference) : reference
    const ingest = await store.ingest({ signal: life.signal })
    const opened: LazyLayer[] = []
    try {
      const fetched = await client.manifest(meant, meant.digest ?? meant.tag ?? '', life.signal)
      const remote = new RemoteImage(client, meant, ingest, life.signal)
      const descriptor = await remote.choose(await remote.begin(fetched), wish)
      const { config, layers: descriptors } = await remote.manifest(descriptor)
      const whole = openImage(ingest, descriptor)
      if (config.mediaType === MEDIA_TYPE.wasmConfig) throw notSeekable(meant, config.digest)
      const layers: Layer[] = []
      for (const [place, layer] of (await whole.layers()).entries()) {
        const here = await store.layers.find(layer.diffId)
        if (here === null) {
          const paths = { tarPath: ingest.temporaryPath(), indexPath: ingest.temporaryPath() }
          const blob = { client, repository: meant, descriptor: descriptors[place] ?? layer.descriptor }
          const lazy = await LazyLayer.open(blob, paths, { signal: life.signal, failed })
          if (lazy === null) throw notSeekable(meant, layer.descriptor.digest)
          opened.push(lazy)
          layers.push({ ...layer, stored: lazy.stored(layer.diffId) })
        } else layers.push({ ...layer, stored: here })
      }
      return new LazyImage({ ...whole, layers: async () => layers }, opened, ingest, life)
    } catch (error) {
      life.abort(error)
      for (const layer of opened) await layer[Symbol.asyncDispose]()
      await ingest.discard()
      throw signal?.aborted ? aborted(signal) : error
    } finally {
      signal?.removeEventListener('abort', stop)
    }
  }

  /** Compressed bytes of the contents of layers that have come. */
  get received(): number {
    return this.opened.reduce((sum, { received }) => sum + received, 0)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.life.abort(new EngineError('ABORTED', 'nothing reads the image any more'))
    for (const layer of this.opened) await layer[Symbol.asyncDispose]()
    await this.ingest.discard()
  }
}

function notSeekable(reference: Reference, digest: Digest): EngineError {
  const name = familiarReference(reference)
  return new EngineError('UNSUPPORTED_MEDIA_TYPE', `${digest} of ${name} has no table of contents to read it by`, {
    hint: 'Only eStargz layers can be read before they are here: leave --lazy out, and the image is pulled whole.',
    data: { reference: name, digest },
  })
}
