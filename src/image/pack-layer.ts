import { createHash } from 'node:crypto'
import { EngineError } from '../errors.js'
import { type Compression, compress } from '../layer/compression.js'
import type { Descriptor } from '../oci/descriptor.js'
import { digestFromHex } from '../oci/digest.js'
import { MEDIA_TYPE } from '../oci/media-type.js'
import type { Ingest } from '../store/ingest.js'
import type { Layer } from '../store/layer-store.js'

const LAYER_TYPES = { none: MEDIA_TYPE.ociLayer, gzip: MEDIA_TYPE.ociLayerGzip, zstd: MEDIA_TYPE.ociLayerZstd } as const

/**
 * Packs a layer anew, whatever it was packed with, into a blob of the ingest; the same layer gives the same bytes. Rejects with DIGEST_MISMATCH when
 * it does not unpack to its diffId, UNSUPPORTED_BY_HOST.
 */
export async function packLayer(ingest: Ingest, layer: Layer, compression: Compression): Promise<Descriptor> {
  const tar = await layer.uncompressed()
  const hash = createHash('sha256')
  async function* hashed(): AsyncGenerator<Uint8Array> {
    for await (const chunk of tar as AsyncIterable<Uint8Array>) {
      hash.update(chunk)
      yield chunk
    }
    const found = digestFromHex(hash.digest('hex'))
    if (found !== layer.diffId)
      throw new EngineError('DIGEST_MISMATCH', `layer ${layer.descriptor.digest} should unpack to ${layer.diffId}, but does to ${found}`, {
        hint: 'The store is damaged: `wolffia system check --repair` takes out what is, and then the image can be loaded again.',
        data: { expected: layer.diffId, found },
      })
  }
  return ingest.write(compress(hashed(), compression), LAYER_TYPES[compression])
}
