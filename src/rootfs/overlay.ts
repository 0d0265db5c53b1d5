import { chmodSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Operation } from '../launcher/operations.js'

/** Where the writable layer is: a tmpfs that dies with the container, or two directories on one file system. */
export type OverlayUpper =
  | { readonly kind: 'memory'; readonly bytes: number; readonly inodes: number }
  | { readonly kind: 'disk'; readonly upper: string; readonly work: string }

/** A root as the kernel puts it together. */
export interface OverlayRoot {
  /** Directories on the host, base first. */
  readonly lowers: readonly string[]
  /** Null for a root that nobody can write to, not even to make a mount point. */
  readonly upper: OverlayUpper | null
}

/** The operations that make this root. */
export function overlayOperations({ lowers, upper }: OverlayRoot): Operation[] {
  return [...lowers.map((path): Operation => ['overlay-lower', path]), ...upperOperations(upper), ['root-overlay']]
}

function upperOperations(upper: OverlayUpper | null): Operation[] {
  if (upper === null) return []
  return [upper.kind === 'memory' ? ['overlay-upper-memory', upper.bytes, upper.inodes] : ['overlay-upper', upper.upper, upper.work]]
}

/**
 * The writable layer in a folder on disk; kept from one start to the next. Its contents belong to subordinate ids and are removed with
 * `remove-tree`. An overlay shows the mode of its upper's root as the root's: `rootMode` is the image's.
 */
export function diskUpper(directory: string, rootMode: number): OverlayUpper {
  const upper = join(directory, 'upper')
  const work = join(directory, 'work')
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  if (mkdirSync(upper, { recursive: true, mode: 0o700 }) !== undefined) chmodSync(upper, rootMode)
  mkdirSync(work, { recursive: true, mode: 0o700 })
  return { kind: 'disk', upper, work }
}
