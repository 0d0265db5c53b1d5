import type { Hash } from 'node:crypto'
import { createHash } from 'node:crypto'
import type { ByteString } from '../fs/file-system.js'
import type { ListedPath } from '../fs/list.js'
import { FIRST_DESCRIPTOR, launch } from '../launcher/client.js'
import type { IdMap, LivingHolder } from '../launcher/id-map.js'
import { idMapOperations } from '../launcher/id-map.js'
import type { Operation } from '../launcher/operations.js'
import type { TreeEntry, TreeRecord } from '../launcher/tree-stream.js'
import { TreeStreamDecoder } from '../launcher/tree-stream.js'
import type { OverlayRoot } from './overlay.js'
import { overlayOperations } from './overlay.js'

/** One path of the tree that the kernel shows: as `fs/list` lists one of ours, and the SHA-256 of a file's contents. */
export interface KernelPath extends Omit<ListedPath, 'ino'> {
  readonly sha256: string | null
}

/**
 * The records of the tree that the kernel shows for a stack of directories: its own overlay, mounted for this in a user namespace and read
 * there. Rejects with what the launcher says; a stream that is cut short is an INVALID_ARCHIVE.
 */
export function captureTree(idMap: IdMap, root: OverlayRoot): AsyncGenerator<TreeRecord> {
  return readTree(idMap, [...overlayOperations(root), ['switch-root']], '/', { memory: root.memory })
}

/**
 * The records of an upper directory alone, as the kernel's overlay left it: copied-up files, its whiteouts (devices 0:0) and its own xattrs
 * (`user.overlay.*`). Read where its owners have the container's numbers. Rejects as {@link captureTree}.
 */
export function captureUpper(idMap: IdMap, directory: string): AsyncGenerator<TreeRecord> {
  return readTree(idMap, [], directory)
}

/**
 * As {@link captureUpper}, without what is in the files: also while a container writes there, when what vanishes meanwhile is passed over.
 */
export function listUpper(idMap: IdMap, directory: string): AsyncGenerator<TreeRecord> {
  return readTree(idMap, [], directory, { operation: 'tree-list' })
}

function readTree(
  idMap: IdMap,
  preparation: readonly Operation[],
  path: string,
  { operation = 'tree-read', memory = null }: { operation?: 'tree-read' | 'tree-list'; memory?: LivingHolder | null } = {},
): AsyncGenerator<TreeRecord> {
  return recordsOf([...idMapOperations(idMap, memory), ['namespace', 'mount'], ...preparation, [operation, path, FIRST_DESCRIPTOR]])
}

/** The records of the tree stream that operations write to the first of the caller's descriptors. Rejects as {@link captureTree}. */
export async function* recordsOf(operations: readonly Operation[]): AsyncGenerator<TreeRecord> {
  const launcher = launch({ operations, exec: null }, { descriptors: ['pipe'] })
  const decoder = new TreeStreamDecoder()
  const [stream] = launcher.streams
  // A reader who goes leaves the launcher with a pipe that nobody reads.
  try {
    if (stream) for await (const chunk of stream) yield* decoder.push(chunk as Buffer)
  } catch (error) {
    launcher.kill()
    throw error
  }
  await launcher.done
  decoder.finish()
}

/** Every path of that tree, in the order of `fs/list`: a directory before what is in it, names in byte order. */
export function listKernelTree(idMap: IdMap, root: OverlayRoot): Promise<KernelPath[]> {
  return listRecords(captureTree(idMap, root))
}

/** Every path of the tree that records tell of, in that order. */
export async function listRecords(records: AsyncIterable<TreeRecord> | Iterable<TreeRecord>): Promise<KernelPath[]> {
  const inodes = new Map<ByteString, CapturedInode>()
  const names: { readonly path: ByteString; readonly inode: CapturedInode }[] = []
  let current: CapturedInode | undefined
  for await (const record of records) {
    if (record.record === 'entry') {
      const { entry } = record
      current = entry.kind === 'hard-link' ? inodes.get(entry.target ?? '') : new CapturedInode(entry)
      if (current === undefined) continue
      inodes.set(entry.path, current)
      names.push({ path: entry.path, inode: current })
    } else if (record.record === 'xattr') current?.xattrs.set(record.name, record.value)
    else if (record.record === 'data') current?.add(record.offset, record.bytes)
  }
  names.sort((left, right) => (walkOrder(left.path) < walkOrder(right.path) ? -1 : 1))
  const firstNames = new Map<CapturedInode, ByteString>()
  return names.map(({ path, inode }) => {
    const linkOf = firstNames.get(inode) ?? null
    if (linkOf === null) firstNames.set(inode, path)
    return inode.listed(path, linkOf)
  })
}

/** Text whose plain order is the order of a walk: a slash comes before every other byte, so that a directory's entries follow it at once. */
function walkOrder(path: ByteString): string {
  return path.replaceAll('/', '\0')
}

class CapturedInode {
  readonly xattrs = new Map<ByteString, Uint8Array>()
  readonly #entry: TreeEntry
  readonly #hash: Hash | null
  #hashed = 0
  #sha256: string | null = null

  constructor(entry: TreeEntry) {
    this.#entry = entry
    this.#hash = entry.kind === 'file' ? createHash('sha256') : null
  }

  add(offset: number, bytes: Uint8Array): void {
    this.#fill(offset)
    this.#hash?.update(bytes)
    this.#hashed += bytes.length
  }

  listed(path: ByteString, linkOf: ByteString | null): KernelPath {
    const { kind, mode, uid, gid, size = 0, device, target = '', mtimeNs } = this.#entry
    if (kind === 'hard-link') throw new TypeError('a hard link is no inode')
    if (this.#hash !== null && this.#sha256 === null) {
      this.#fill(size)
      this.#sha256 = this.#hash.digest('hex')
    }
    return {
      path,
      type: kind,
      mode,
      uid,
      gid,
      size: kind === 'file' ? size : null,
      device: kind === 'character-device' || kind === 'block-device' ? (device ?? null) : null,
      target: kind === 'symlink' ? target : null,
      linkOf,
      xattrs: this.xattrs,
      mtimeNs,
      sha256: this.#sha256,
    }
  }

  /** Holes are zeros. */
  #fill(offset: number): void {
    const zeros = Buffer.alloc(Math.min(64 * 1024, Math.max(0, offset - this.#hashed)))
    while (this.#hashed < offset) {
      const piece = zeros.subarray(0, Math.min(zeros.length, offset - this.#hashed))
      this.#hash?.update(piece)
      this.#hashed += piece.length
    }
  }
}
