import { mkdirSync } from 'node:fs'
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
 * `remove-tree`. The root's own mode is 0755, as a new overlay shows its upper's.
 */
export function diskUpper(directory: string): OverlayUpper {
  const upper = join(directory, 'upper')
  const work = join(directory, 'work')
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  for (const folder of [upper, work]) mkdirSync(folder, { recursive: true, mode: 0o755 })
  return { kind: 'disk', upper, work }
}
