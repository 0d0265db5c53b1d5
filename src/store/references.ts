/**
 * Names of images: `index.json` of the layout, one descriptor for each name, the name in full form as its annotation
 * `org.opencontainers.image.ref.name`, where skopeo and umoci look for it. An image without a name has a descriptor without
 * the annotation. The file is replaced by rename, under the store's lock.
 */
import { join } from 'node:path'
import { EngineError } from '../errors.js'
import type { Descriptor } from '../oci/descriptor.js'
import { MAXIMUM_DOCUMENT_BYTES, parseIndex } from '../oci/document.js'
import { MEDIA_TYPE } from '../oci/media-type.js'
import { parseReference, withDefaultTag } from '../reference/normalize.js'
import { formatReference, type Reference } from '../reference/reference.js'
import { flushFolder, replaceFile } from './oci-layout.js'
import { readPlainFile } from './plain-file.js'

/** Annotation of a descriptor in index.json that holds its name (image-spec, annotations.md). */
export const REFERENCE_ANNOTATION = 'org.opencontainers.image.ref.name'

/** One line of index.json. */
export interface NamedDescriptor {
  /** Null for an image without a name, or with one that another tool gave and that is no reference. */
  readonly reference: Reference | null
  /** What the name stands for: a manifest or an index. */
  readonly descriptor: Descriptor
}

/** The names in a store. */
export class References {
  readonly #path: string

  constructor(private readonly root: string) {
    this.#path = join(root, 'index.json')
  }

  /** All names, in the order they were given. */
  async list(): Promise<readonly NamedDescriptor[]> {
    return namesIn(readPlainFile(this.#path, MAXIMUM_DOCUMENT_BYTES))
  }

  /**
   * Replaces all names. The caller holds the store's lock and has read {@link list} under it. Rejects with LIMIT_EXCEEDED as
   * {@link assertRoom} throws.
   */
  async replace(names: readonly NamedDescriptor[]): Promise<void> {
    await replaceFile(this.#path, formatNames(names))
    await flushFolder(this.root)
  }

  /** Throws LIMIT_EXCEEDED for more names than would be read again: a store that cannot read its names is none. */
  assertRoom(names: readonly NamedDescriptor[]): void {
    formatNames(names)
  }
}

function formatNames(names: readonly NamedDescriptor[]): string {
  const manifests = names.map(({ reference, descriptor }) => annotate(descriptor, reference))
  const text = `${JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPE.ociIndex, manifests }, null, 2)}\n`
  const size = Buffer.byteLength(text)
  if (size > MAXIMUM_DOCUMENT_BYTES)
    throw new EngineError('LIMIT_EXCEEDED', `the store's index.json would have ${size} bytes; at most ${MAXIMUM_DOCUMENT_BYTES} are read`, {
      hint: 'Remove names that nobody needs: wolffia rmi NAME.',
      data: { size, limit: MAXIMUM_DOCUMENT_BYTES },
    })
  return text
}

/** The names that the bytes of an index.json hold. Throws INVALID_IMAGE. */
export function namesIn(bytes: Uint8Array): readonly NamedDescriptor[] {
  const { manifests } = parseIndex(bytes, MEDIA_TYPE.ociIndex, 'index.json')
  return manifests.map((descriptor) => ({ reference: referenceOf(descriptor), descriptor }))
}

/**
 * The names after `reference` was given to `descriptor`. An image that loses its last name this way stays, without a name; one
 * without a name that gets one loses the nameless line. With `reference` null the image is kept without a name.
 */
export function withName(
  names: readonly NamedDescriptor[],
  reference: Reference | null,
  descriptor: Descriptor,
): readonly NamedDescriptor[] {
  const { digest } = descriptor
  if (reference === null)
    return names.some((name) => name.descriptor.digest === digest) ? names : [...names, { reference: null, descriptor }]
  const isKey = (name: NamedDescriptor) => name.reference !== null && isSame(name.reference, reference)
  const old = names.find(isKey)
  const others = names.filter((name) => !isKey(name) && !(name.reference === null && name.descriptor.digest === digest))
  const lost =
    old !== undefined && old.descriptor.digest !== digest && !others.some((name) => name.descriptor.digest === old.descriptor.digest)
  return [...others, ...(lost ? [{ reference: null, descriptor: old.descriptor }] : []), { reference, descriptor }]
}

function isSame(left: Reference, right: Reference): boolean {
  return left.path === right.path && left.domain === right.domain && left.tag === right.tag && left.digest === right.digest
}

function referenceOf(descriptor: Descriptor): Reference | null {
  const name = descriptor.annotations?.[REFERENCE_ANNOTATION]
  if (name === undefined) return null
  try {
    return withDefaultTag(parseReference(name))
  } catch {
    return null
  }
}

function annotate(descriptor: Descriptor, reference: Reference | null): Descriptor {
  const { [REFERENCE_ANNOTATION]: former, ...others } = descriptor.annotations ?? {}
  const { annotations: _, ...bare } = descriptor
  // A name that is no reference is another tool's, and stays as that tool wrote it.
  const name = reference === null ? (former !== undefined && !readsBack(former) ? former : undefined) : formatReference(reference)
  const annotations = name === undefined ? others : { ...others, [REFERENCE_ANNOTATION]: name }
  return Object.keys(annotations).length === 0 ? bare : { ...bare, annotations }
}

function readsBack(name: string): boolean {
  return referenceOf({ annotations: { [REFERENCE_ANNOTATION]: name } } as unknown as Descriptor) !== null
}
