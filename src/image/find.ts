import { EngineError } from '../errors.js'
import type { Descriptor } from '../oci/descriptor.js'
import { hexOf } from '../oci/digest.js'
import { nearest } from '../reference/nearest.js'
import { familiarReference, isReference, parseReference, withDefaultTag } from '../reference/normalize.js'
import { formatReference, type Reference, sameRepository } from '../reference/reference.js'
import type { NamedDescriptor } from '../store/references.js'
import type { Store } from '../store/store.js'

/** An image as it was looked up. */
export interface FoundImage {
  /** Of its manifest or index; its digest is the image's id. */
  readonly descriptor: Descriptor
  /** The name by which it was found; null when by its id. */
  readonly reference: Reference | null
  /** All its names. */
  readonly names: readonly Reference[]
}

/** Digits of an id that are enough to mean one, when no image has them as its name. */
const SHORTEST_ID = 4

/**
 * Looks an image up as docker does: by name (`alpine`, `alpine:3.20`), by name and digest, or by id or its beginning; a name goes before
 * an id. Rejects with IMAGE_NOT_FOUND naming what is near, INVALID_REFERENCE, and INVALID_ARGUMENT for an ambiguous id.
 */
export async function findImage(store: Store, text: string): Promise<FoundImage> {
  return findAmong(await store.references.list(), text)
}

/** {@link findImage} in names that were read already. */
export function findAmong(names: readonly NamedDescriptor[], text: string): FoundImage {
  const found = byName(names, text) ?? byId(names, text)
  if (found !== null) return found
  // An id that is none and no name either is a mistake in the name.
  if (!isId(text)) parseReference(text)
  const near = namesNear(names, text)
  throw new EngineError('IMAGE_NOT_FOUND', `there is no image ${JSON.stringify(text)} here`, {
    hint:
      near.length === 0
        ? 'Get one with `wolffia pull NAME`, `wolffia load -i ARCHIVE` or `wolffia import TAR-OR-WASM NAME`; `wolffia images` lists what there is.'
        : `Did you mean ${near.join(' or ')}? \`wolffia images\` lists what there is.`,
    data: { reference: text, nearest: near },
  })
}

function byName(names: readonly NamedDescriptor[], text: string): FoundImage | null {
  if (!isReference(text)) return null
  const wanted = withDefaultTag(parseReference(text))
  const match = names.find(({ reference, descriptor }) => {
    if (reference === null) return false
    // With a digest the tag says nothing: the digest is what is meant (docker).
    if (wanted.digest !== undefined) return sameRepository(reference, wanted) && descriptor.digest === wanted.digest
    return formatReference(reference) === formatReference(wanted)
  })
  return match === undefined ? null : describe(names, match.descriptor, match.reference)
}

function byId(names: readonly NamedDescriptor[], text: string): FoundImage | null {
  if (!isId(text)) return null
  const hex = text.replace(/^sha256:/, '')
  const matches = names.map(({ descriptor }) => descriptor).filter((descriptor) => hexOf(descriptor.digest).startsWith(hex))
  const [first] = matches
  if (first === undefined) return null
  const ids = [...new Set(matches.map((descriptor) => hexOf(descriptor.digest)))]
  if (ids.length > 1)
    throw new EngineError('INVALID_ARGUMENT', `the id ${text} is the beginning of ${ids.length} images: ${ids.slice(0, 5).join(', ')}`, {
      hint: 'Write more of its digits.',
      data: { ids },
    })
  return describe(names, first, null)
}

function isId(text: string): boolean {
  return /^(sha256:)?[0-9a-f]{1,64}$/.test(text) && text.replace(/^sha256:/, '').length >= SHORTEST_ID
}

function describe(names: readonly NamedDescriptor[], descriptor: Descriptor, reference: Reference | null): FoundImage {
  const own = names.filter((name) => name.descriptor.digest === descriptor.digest)
  return { descriptor, reference, names: own.flatMap((name) => (name.reference === null ? [] : [name.reference])) }
}

/** Names a person may have meant: near as a whole, else near without the tag. */
function namesNear(names: readonly NamedDescriptor[], text: string): readonly string[] {
  const known = names.flatMap(({ reference }) => (reference === null ? [] : [familiarReference(reference)]))
  const whole = nearest(
    text,
    known.map((name) => name.replace(/:latest$/, '')),
  )
  if (whole.length > 0) return whole
  const near = nearest(withoutTag(text), known.map(withoutTag))
  return known.filter((name) => near.includes(withoutTag(name))).slice(0, 3)
}

function withoutTag(name: string): string {
  return name.replace(/:[^:/]*$/, '')
}
