/**
 * What stands beside a tree and says that it is whole: `complete` for one on disk, which is trusted in the boot that wrote it until the disk is
 * known to have it; `memory` for one in a holder's memory, which is trusted as long as that holder lives.
 */
import { spawn } from 'node:child_process'
import { readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { LivingHolder } from '../launcher/id-map.js'
import { bootId } from '../store/process-identity.js'

/** What stands in `complete`. */
export interface Marker {
  /** The boot it was written in; null once the tree is known to be on the disk. */
  readonly boot: string | null
  /** Of a stack: names of the folders to be stacked, base first. Whoever writes one of them anew takes the marker away before. */
  readonly lowers?: readonly string[]
}

/** What stands in `memory`. */
export interface MemoryMarker {
  /** Identity of the holder. */
  readonly holder: string
  /** Its name in the holder's memory. */
  readonly tree: string
  /** Of a stack: what is to be stacked, base first; `tree` is null for what is on disk. */
  readonly lowers?: readonly { readonly name: string; readonly tree: string | null }[]
}

/** Names of the two markers in the folder of a tree. */
export const COMPLETE = 'complete'
export const IN_MEMORY = 'memory'

/** Old enough that the kernel has mostly written it by itself, so that flushing takes no time. Nor is it tried more often than that. */
const FLUSHED_AFTER_MS = 60_000

/** Beside a marker: the one to take its place when the tree is on the disk. Who writes the tree anew removes it first. */
export const LASTING = 'complete.lasting'

/**
 * Makes the trees of a stack, its own last, known to be on the disk: flushes the file system, then lets the markers say so. A process of its
 * own does it, for which nobody waits and which outlives this one.
 */
export function flushTrees(folder: string, names: readonly string[]): void {
  const isRecent = (path: string) => (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0) > Date.now() - FLUSHED_AFTER_MS
  const begun = join(folder, 'flush-begun')
  if (isRecent(begun) || isRecent(join(folder, names.at(-1) ?? '', COMPLETE))) return
  writeFileSync(begun, '', { mode: 0o600 })
  const folders = names.map((name) => join(folder, name))
  for (const tree of folders) {
    const marker = readMarker(tree)
    // Gone meanwhile: its image was removed.
    if (marker === null) return
    writeFileSync(join(tree, LASTING), JSON.stringify({ ...marker, boot: null }), { mode: 0o600 })
  }
  const script = `sync -f "$0" && for tree; do mv "$tree/${LASTING}" "$tree/${COMPLETE}" || exit; done`
  const child = spawn('/bin/sh', ['-c', script, folder, ...folders], { stdio: 'ignore', detached: true })
  child.on('error', () => {})
  child.unref()
}

/** Puts a marker of either kind in its place; `suffix` keeps those who write at once apart. */
export function writeMarker(folder: string, name: typeof COMPLETE | typeof IN_MEMORY, marker: Marker | MemoryMarker, suffix: string): void {
  const temporary = join(folder, `${COMPLETE}.${suffix}`)
  writeFileSync(temporary, JSON.stringify(marker), { mode: 0o600 })
  renameSync(temporary, join(folder, name))
}

/** The marker of a tree on disk that can be used: one of this boot, or one that lasts. */
export function readMarker(folder: string): Marker | null {
  const marker = readJson<Marker>(join(folder, COMPLETE))
  return marker !== null && (marker.boot === null || marker.boot === bootId()) ? marker : null
}

/** The marker of a tree in the memory of this holder. */
export function readMemoryMarker(folder: string, holder: LivingHolder | null): MemoryMarker | null {
  if (holder === null) return null
  const marker = readJson<MemoryMarker>(join(folder, IN_MEMORY))
  return marker?.holder === holder.identity ? marker : null
}

function readJson<Content>(path: string): Content | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return null
  }
}
