import type { Digest } from '../oci/digest.js'
import type { ImageConfig, Manifest } from '../oci/image-spec.js'

/** One step of how an image came to be: a layer, or a change of the config alone. */
export interface ImageStep {
  /** The image's, for its last step; what it was after another is not kept. */
  readonly id: Digest | null
  /** Null when the image does not say. */
  readonly createdAt: Date | null
  /** The instruction; empty when the image does not say. */
  readonly createdBy: string
  readonly comment: string
  /** Of its layer as it is stored; 0 for a step without one. */
  readonly sizeBytes: number
}

/** The steps of an image, newest first. A layer that its history does not tell of (config.md has it optional) is a step all the same. */
export function imageSteps(id: Digest, { layers }: Manifest, { history = [] }: ImageConfig): readonly ImageStep[] {
  const left = [...layers]
  const steps = history.map(({ created, created_by: createdBy = '', comment = '', empty_layer: isEmpty = false }) => ({
    id: null,
    createdAt: created === undefined ? null : new Date(created),
    createdBy,
    comment,
    sizeBytes: isEmpty ? 0 : (left.shift()?.size ?? 0),
  }))
  const untold = left.map(({ size }) => ({ id: null, createdAt: null, createdBy: '', comment: '', sizeBytes: size }))
  const [last, ...earlier] = [...steps, ...untold].reverse()
  return last === undefined ? [] : [{ ...last, id }, ...earlier]
}
