import { EngineError } from '../errors.js'
import type { Descriptor } from '../oci/descriptor.js'
import { parseReference, withDefaultTag } from '../reference/normalize.js'
import type { Reference } from '../reference/reference.js'
import { withName } from '../store/references.js'
import type { Store } from '../store/store.js'
import { findAmong } from './find.js'

/**
 * Gives an image another name, taking it from the image that had it; that one stays, without the name. Returns the name in full, and what it names.
 * Rejects with IMAGE_NOT_FOUND, INVALID_REFERENCE.
 */
export async function tagImage(
  store: Store,
  source: string,
  target: string,
  options: { readonly signal?: AbortSignal } = {},
): Promise<{ readonly reference: Reference; readonly descriptor: Descriptor }> {
  const reference = withDefaultTag(parseReference(target))
  if (reference.digest !== undefined)
    throw new EngineError('INVALID_REFERENCE', `refusing to create a tag with a digest reference: ${JSON.stringify(target)}`, {
      hint: 'Leave the @sha256:… away: a name is given, a digest is what an image has.',
    })
  return store.lock.hold(async () => {
    const names = await store.references.list()
    const { descriptor } = findAmong(names, source)
    await store.references.replace(withName(names, reference, descriptor))
    return { reference, descriptor }
  }, options)
}
