import { chmodSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { holderMemory } from '../launcher/holder.js'
import type { LivingHolder } from '../launcher/id-map.js'
import type { Operation } from '../launcher/operations.js'

/** Where the writable layer is: a tmpfs that dies with the container, or two directories on one file system. */
export type OverlayUpper =
  | { readonly kind: 'memory'; readonly bytes: number; readonly inodes: number }
  | { readonly kind: 'disk'; readonly upper: string; readonly work: string }

/** Layers as the launcher finds them. */
export interface KernelLayers {
  /** Directories on the host, base first. */
  readonly lowers: readonly string[]
  /** Whose memory some of them are in; null when all are on disk. */
  readonly memory: LivingHolder | null
}

/** A root as the kernel puts it together. */
export interface OverlayRoot extends KernelLayers {
  /** Null for a root that nobody can write to, not even to make a mount point. */
  readonly upper: OverlayUpper | null
}

/** The operations that make this root; what is in a holder's memory asks for a plan whose ids are the holder's. */
export function overlayOperations({ lowers, memory, upper }: OverlayRoot): Operation[] {
  return [
    ...(memory === null ? [] : [['holder-memory', holderMemory(memory)] as const]),
    ...lowers.map((path): Operation => ['overlay-lower', path]),
    ...upperOperations(upper),
    ['root-overlay'],
  ]
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
