/**
 * What a container has written, as a layer: the kernel's upper directory, read where its owners have the container's numbers, becomes entries
 * of a tar with whiteouts and opaque markers (image-spec, layer.md). The same upper makes the same bytes.
 */
import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs'
import type { ByteString, ReadonlyFileSystem } from '../fs/file-system.js'
import { find } from '../fs/find.js'
import type { IdMap } from '../launcher/id-map.js'
import type { TreeEntry } from '../launcher/tree-stream.js'
import type { PackEntry } from '../layer/pack.js'
import { OPAQUE_WHITEOUT, refuseMarkerName, WHITEOUT_PREFIX } from '../layer/whiteout.js'
import { captureUpper } from './capture.js'
import { below, isKeptXattr } from './tree-records.js'

/** What {@link readUpper} needs. */
export interface UpperRequest {
  /** The one the container ran with. */
  readonly idMap: IdMap
  /** The upper directory, on disk; nobody writes to it any more. */
  readonly directory: string
  /** The merged tree of the layers below. */
  readonly lower: ReadonlyFileSystem
  /** Where contents are gathered: a path for a new file, whose name is gone again at once. */
  readonly spoolPath: string
  /** Absolute paths that a wall made to mount on; one that the layers lack and that is empty is no change of the guest's. */
  readonly mountPoints: readonly string[]
}

/** An upper that has been read. Close it when its entries are packed. */
export interface UpperLayer {
  /** Whether there is more than a root like that of the layers below. */
  readonly hasChanges: boolean
  /** For `layer/pack`, parents first. */
  entries(): Iterable<PackEntry>
  close(): void
}

/** Overlay's own mark of a directory that hides what is below it (kernel, filesystems/overlayfs.rst, "userxattr"). */
export const OPAQUE_XATTR = 'user.overlay.opaque'
const YES = 0x79

/** Bytes of a file, and where they are in the spool. */
interface SpooledSegment {
  readonly position: number
  readonly length: number
  readonly offset: number
}

class Captured {
  readonly xattrs = new Map<ByteString, Uint8Array>()
  readonly segments: SpooledSegment[] = []
  isOpaque = false

  constructor(readonly entry: TreeEntry) {}

  add(segment: SpooledSegment): void {
    const last = this.segments.at(-1)
    const goesOn = last !== undefined && last.position + last.length === segment.position
    // The spool is written in the same order.
    if (goesOn) this.segments[this.segments.length - 1] = { ...last, length: last.length + segment.length }
    else this.segments.push(segment)
  }
}

/** Reads an upper directory. Rejects with what the launcher says, and with UNSAFE_PATH for a name that a layer would read as a marker. */
export async function readUpper(request: UpperRequest): Promise<UpperLayer> {
  const spool = openSync(request.spoolPath, 'wx+', 0o600)
  // Nobody needs its name, and so nothing is left of it.
  unlinkSync(request.spoolPath)
  try {
    const captured: Captured[] = []
    let offset = 0
    for await (const record of captureUpper(request.idMap, request.directory)) {
      const current = captured.at(-1)
      if (record.record === 'entry') captured.push(new Captured(record.entry))
      else if (record.record === 'xattr') {
        if (isKeptXattr(record.name)) current?.xattrs.set(record.name, record.value)
        else if (record.name === OPAQUE_XATTR && current !== undefined) current.isOpaque = record.value[0] === YES
      } else if (record.record === 'data') {
        writeAll(spool, record.bytes, offset)
        current?.add({ position: record.offset, length: record.bytes.length, offset })
        offset += record.bytes.length
      }
    }
    const kept = withoutMountPoints(captured, request)
    const hasChanges = kept.some(
      ({ entry, isOpaque, xattrs }) => entry.path !== '' || isOpaque || xattrs.size > 0 || !isUntouched(request.lower, entry),
    )
    return { hasChanges, entries: () => packEntries(kept, spool, request), close: () => closeSync(spool) }
  } catch (error) {
    closeSync(spool)
    throw error
  }
}

function writeAll(file: number, bytes: Uint8Array, position: number): void {
  for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written, bytes.length - written, position + written)
}

/** Without the places that the wall made, and without directories that are there only because of them. */
function withoutMountPoints(captured: readonly Captured[], { mountPoints, lower }: UpperRequest): readonly Captured[] {
  const made = new Set(mountPoints.map((path) => path.replace(/^\/+|\/+$/g, '')).filter((path) => find(lower, path) === undefined))
  const above = new Set([...made].flatMap(pathsAbove))
  const children = new Map<ByteString, number>()
  for (const { entry } of captured) if (entry.path !== '') add(children, parentOf(entry.path), 1)
  const dropped = new Set<Captured>()
  // Children first, so that a directory is empty when its turn comes.
  for (const item of [...captured].reverse()) {
    const { entry } = item
    const isEmpty = entry.kind === 'directory' ? (children.get(entry.path) ?? 0) === 0 : entry.kind === 'file' && entry.size === 0
    if (entry.path === '' || !isEmpty || item.isOpaque || item.xattrs.size > 0) continue
    if (!made.has(entry.path) && !(above.has(entry.path) && isUntouched(lower, entry))) continue
    dropped.add(item)
    add(children, parentOf(entry.path), -1)
  }
  return captured.filter((item) => !dropped.has(item))
}

function add(counts: Map<ByteString, number>, key: ByteString, count: number): void {
  counts.set(key, (counts.get(key) ?? 0) + count)
}

/** Whether a directory is as the layers have it, or one that a wall makes. */
function isUntouched(lower: ReadonlyFileSystem, { path, mode, uid, gid }: TreeEntry): boolean {
  const ino = find(lower, path)
  const before = ino === undefined ? { type: 'directory', mode: 0o755, uid: 0, gid: 0 } : lower.stat(ino)
  return before.type === 'directory' && before.mode === mode && before.uid === uid && before.gid === gid
}

function* packEntries(captured: readonly Captured[], spool: number, { idMap, lower }: UpperRequest): Generator<PackEntry> {
  for (const { entry, xattrs, segments, isOpaque } of captured) {
    const { path, mode, mtimeNs, kind } = entry
    if (kind === 'character-device' && entry.device?.major === 0 && entry.device.minor === 0) {
      yield marker(below(parentOf(path), WHITEOUT_PREFIX + nameOf(path)))
      continue
    }
    refuseMarkerName(path)
    const owner = idMap.kind === 'single' ? ownerUnderSingleId(lower, entry) : { uid: entry.uid, gid: entry.gid }
    const attributes = { path, mode, mtimeNs, ...owner }
    if (kind === 'hard-link') yield { ...attributes, type: 'hardlink', target: entry.target ?? '' }
    else if (kind === 'symlink') yield { ...attributes, type: kind, xattrs, target: entry.target ?? '' }
    else if (kind === 'file') yield { ...attributes, type: kind, xattrs, contents: contentsOf(entry.size ?? 0, segments, spool) }
    else yield { ...attributes, type: kind, xattrs, device: entry.device ?? null }
    if (isOpaque) yield marker(below(path, OPAQUE_WHITEOUT))
  }
}

function contentsOf(size: number, segments: readonly SpooledSegment[], spool: number): NonNullable<PackEntry['contents']> {
  return {
    size,
    segments: () => segments,
    read(buffer, position) {
      const segment = segments.find((candidate) => position >= candidate.position && position < candidate.position + candidate.length)
      if (segment !== undefined) {
        const skipped = position - segment.position
        return readSync(spool, buffer, 0, Math.min(buffer.length, segment.length - skipped), segment.offset + skipped)
      }
      // A hole, which may still be written out when it is a small one.
      const end = segments.find((candidate) => candidate.position > position)?.position ?? size
      const count = Math.min(buffer.length, end - position)
      buffer.fill(0, 0, count)
      return count
    },
  }
}

/** With one id a guest can give nothing away: what the layers had keeps its owner, and what is new is root's. */
function ownerUnderSingleId(lower: ReadonlyFileSystem, { path, kind }: TreeEntry): { readonly uid: number; readonly gid: number } {
  const ino = find(lower, path)
  const before = ino === undefined ? undefined : lower.stat(ino)
  return before?.type === kind ? { uid: before.uid, gid: before.gid } : { uid: 0, gid: 0 }
}

function marker(path: ByteString): PackEntry {
  return { path, type: 'file', mode: 0o600, uid: 0, gid: 0, mtimeNs: 0n }
}

function parentOf(path: ByteString): ByteString {
  return path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : ''
}

function nameOf(path: ByteString): ByteString {
  return path.slice(path.lastIndexOf('/') + 1)
}

function pathsAbove(path: ByteString): readonly ByteString[] {
  const parts = path.split('/')
  return parts.slice(1).map((_, place) => parts.slice(0, place + 1).join('/'))
}
