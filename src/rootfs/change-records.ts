/**
 * What was changed in a tree, as the records of a tree stream for `path-write` at a root that may have changed too: each record says what was
 * done and nothing of what was not, so that a change of somebody else's to the same file or directory stays as far as it can.
 */
import { EngineError } from '../errors.js'
import type { ByteString, Change, Ino, ReadonlyFileSystem, Stat } from '../fs/file-system.js'
import { find } from '../fs/find.js'
import type { AttributeSet, TreeRecord } from '../launcher/tree-stream.js'
import type { ChangedTree } from '../layer/pack-tree.js'
import { refuseMarkerName } from '../layer/whiteout.js'
import { dataRecords, entryOf, inodeRecords } from './tree-records.js'

/** One path, and what stood and stands there. */
interface Difference extends Change {
  readonly before: Ino | undefined
  readonly after: Ino | undefined
  /** It is the inode that it was and holds what it held: at most its attributes have changed. */
  readonly isInPlace: boolean
  /** A directory above it is not the one that it was, and so is nothing in it. */
  readonly isBelowReplaced: boolean
}

/**
 * The records that make of `before` what `after` is, its fork with the same numbers of inodes. A file with other contents is a new file, and
 * so is one under another name; one with other attributes only, and each directory, stays what it is to whoever has it open. Times of a
 * directory are told when they were set, not when they come of what was made in it. Throws UNSAFE_PATH for a name that no layer can hold,
 * before there is a record.
 */
export function changeRecords(before: ReadonlyFileSystem, after: ChangedTree): Generator<TreeRecord> {
  return recordsOf(differencesOf(before, after), before, after)
}

function* recordsOf(differences: readonly Difference[], before: ReadonlyFileSystem, after: ReadonlyFileSystem): Generator<TreeRecord> {
  /** A name under which a file is already, or has just been made. */
  const names = new Map<Ino, ByteString>()
  for (const { path, after: ino, isInPlace } of differences) if (ino !== undefined && isInPlace) names.set(ino, path)
  for (const { path, before: original, after: ino, isInPlace, isBelowReplaced } of differences) {
    if (ino === undefined) {
      yield { record: 'remove', path }
      continue
    }
    const stat = after.stat(ino)
    if (isInPlace) {
      const sets = changedSets(before.stat(ino), stat)
      if (sets.length > 0) yield { record: 'attributes', sets, entry: entryOf(stat, path) }
      continue
    }
    const standing = isBelowReplaced || original === undefined ? undefined : before.stat(original)
    // A file makes way by itself.
    if (standing !== undefined && (standing.type === 'directory' || stat.type === 'directory')) yield { record: 'remove', path }
    const name = stat.type === 'directory' ? undefined : names.get(ino)
    if (name !== undefined) {
      yield { record: 'entry', entry: { ...entryOf(stat, path), kind: 'hard-link', target: name } }
      continue
    }
    names.set(ino, path)
    yield* inodeRecords(after, ino, path)
    if (stat.type === 'file') yield* dataRecords(after, ino)
  }
  yield { record: 'end' }
}

function differencesOf(before: ReadonlyFileSystem, after: ChangedTree): readonly Difference[] {
  const differences: Difference[] = []
  /** With a slash behind it. What is in a directory follows it. */
  let replaced: ByteString | null = null
  for (const change of after.changes()) {
    const { path, kind } = change
    if (kind !== 'deleted') refuseMarkerName(path)
    const original = find(before, path)
    const ino = kind === 'deleted' ? undefined : find(after, path)
    if (replaced !== null && !path.startsWith(replaced)) replaced = null
    const isBelowReplaced = replaced !== null
    const isInPlace = ino !== undefined && ino === original && !isBelowReplaced && isSame(before, after, ino)
    if (!isInPlace && !isBelowReplaced && ino !== undefined && after.stat(ino).type === 'directory') replaced = `${path}/`
    differences.push({ ...change, before: original, after: ino, isInPlace, isBelowReplaced })
  }
  return differences
}

/** Whether an inode is one whose attributes can be changed where it is, and holds what it held. */
function isSame(before: ReadonlyFileSystem, after: ReadonlyFileSystem, ino: Ino): boolean {
  const { type, size } = after.stat(ino)
  if (type === 'directory' || type === 'symlink') return true
  return type === 'file' && size === before.stat(ino).size && holdsSame(before, after, { ino, size })
}

const PIECE_BYTES = 256 * 1024

function holdsSame(
  before: ReadonlyFileSystem,
  after: ReadonlyFileSystem,
  { ino, size }: { readonly ino: Ino; readonly size: number },
): boolean {
  const [then, now] = [Buffer.alloc(PIECE_BYTES), Buffer.alloc(PIECE_BYTES)]
  for (let position = 0; position < size; ) {
    const [length, same] = [before.read(ino, then, position), after.read(ino, now, position)]
    if (length !== same || length === 0 || then.compare(now, 0, length, 0, length) !== 0) return false
    position += length
  }
  return true
}

function changedSets(before: Stat, after: Stat): AttributeSet[] {
  // What is made or removed in a directory sets both times to one moment.
  const isByItself = after.type === 'directory' && after.mtimeNs === after.ctimeNs
  const isDated = before.atimeNs !== after.atimeNs || (before.mtimeNs !== after.mtimeNs && !isByItself)
  return [
    ...(before.mode === after.mode ? [] : ['mode' as const]),
    ...(before.uid === after.uid && before.gid === after.gid ? [] : ['owner' as const]),
    ...(isDated ? ['times' as const] : []),
  ]
}

/** The error of a change that the container does not take, by the errno that it gave. `path` has no leading slash. */
export function cannotChange(path: string, errno: string, cause?: unknown): EngineError {
  const options = { cause, data: { path: `/${path}`, errno } }
  const kept = 'What was written before it, in the order of names, is kept.'
  if (errno === 'ENOSPC' || errno === 'EDQUOT')
    return new EngineError('LIMIT_EXCEEDED', `/${path} cannot be written: no space is left in the container`, { ...options, hint: kept })
  return new EngineError('CONFLICT', `/${path} cannot be written: it is not what it was when the files were opened (${errno})`, {
    ...options,
    hint: `${kept} Open the files again, and look at what is there now.`,
  })
}
