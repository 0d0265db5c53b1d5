import { EngineError } from '../errors.js'
import type { Descriptor } from '../oci/descriptor.js'
import { isIndexType, isManifestType } from '../oci/media-type.js'
import { MAXIMUM_DOCUMENTS, MAXIMUM_INDEX_DEPTH } from '../store/reachable.js'

/**
 * Descriptors of the manifests below `top`, in order, each once. `children` says what an index lists, as far as it is to be followed. Rejects
 * with INVALID_IMAGE for more documents or deeper indexes than an honest image has, and with what `children` has to say.
 */
export async function manifestsBelow(
  top: Descriptor,
  children: (index: Descriptor) => Promise<readonly Descriptor[]>,
): Promise<readonly Descriptor[]> {
  const found = new Map<string, Descriptor>()
  let documents = 0
  const walk = async (descriptor: Descriptor, depth: number): Promise<void> => {
    if (++documents > MAXIMUM_DOCUMENTS)
      throw new EngineError('INVALID_IMAGE', `the index leads to more than ${MAXIMUM_DOCUMENTS} documents`)
    if (isManifestType(descriptor.mediaType)) {
      if (!found.has(descriptor.digest)) found.set(descriptor.digest, descriptor)
      return
    }
    // An index may list what this version does not know; it is passed over, as the spec asks (image-index.md).
    if (!isIndexType(descriptor.mediaType)) return
    if (depth > MAXIMUM_INDEX_DEPTH)
      throw new EngineError('INVALID_IMAGE', `indexes stand within indexes, more than ${MAXIMUM_INDEX_DEPTH} deep`)
    for (const child of await children(descriptor)) await walk(child, depth + 1)
  }
  await walk(top, 0)
  return [...found.values()]
}
