import type { ByteString, Change } from './file-system.js'
import type { Inode } from './inode.js'

/** A union's inodes, and the names of its directories as they are and as the layers have them. */
export interface TreeViews {
  isDirectory(inode: Inode): boolean
  isChanged(inode: Inode): boolean
  linkCount(inode: Inode): number
  /** Whether the names of a directory were ever asked for. */
  isRead(directory: Inode): boolean
  current(directory: Inode): ReadonlyMap<ByteString, Inode>
  /** For each name that was changed, what the layers have there. */
  originals(directory: Inode): ReadonlyMap<ByteString, Inode | undefined>
  /** Whether a changed file of the layers may have further names in directories that were never read. */
  readonly searchUnread: boolean
}

type Pair = readonly [path: ByteString, original: Inode | undefined, current: Inode | undefined]

/**
 * Differences between what the layers have below `root` and what is there now. Directories that were never read are walked only when asked
 * for.
 *
 * A hard link of the layers that came to a new path, with a directory that was renamed for one, is told by all its names: else a layer made
 * of the differences would hold a copy under the new path and no link.
 */
export function* changesOf(root: Inode, views: TreeViews): Generator<Change, void, undefined> {
  const moved = movedLinks(root, views)
  for (const [path, original, current] of pairsBelow(root, moved.size > 0 ? { ...views, searchUnread: true } : views)) {
    if (current === undefined) {
      // A name that came and went again is no difference.
      if (original !== undefined) yield { path, kind: 'deleted' }
      continue
    }
    const replaced = original !== undefined && original !== current
    if (original === undefined) yield { path, kind: 'added' }
    else if (replaced || views.isChanged(current) || moved.has(current)) {
      const opaque = replaced && views.isDirectory(original) && views.isDirectory(current)
      yield opaque ? { path, kind: 'modified', opaque } : { path, kind: 'modified' }
    }
  }
}

/** Unchanged files of the layers that have another name in them and stand where they did not. */
function movedLinks(root: Inode, views: TreeViews): ReadonlySet<Inode> {
  const moved = new Set<Inode>()
  for (const [, original, current] of pairsBelow(root, views))
    if (
      current !== undefined &&
      current !== original &&
      !views.isChanged(current) &&
      !views.isDirectory(current) &&
      views.linkCount(current) > 1
    )
      moved.add(current)
  return moved
}

/** Every path with what the layers have there and what is there now. */
function* pairsBelow(root: Inode, views: TreeViews): Generator<Pair, void, undefined> {
  // A stack and not recursion: a guest decides how deep the tree is.
  const pending: Pair[] = [['', root, root]]
  for (let pair = pending.pop(); pair !== undefined; pair = pending.pop()) {
    yield pair
    const [path, original, current] = pair
    if (current === undefined || !views.isDirectory(current)) continue
    if (original === current && !views.isRead(current) && !views.searchUnread) continue
    const after = views.current(current)
    const before = original !== undefined && views.isDirectory(original) ? originalEntries(original, views) : new Map<ByteString, Inode>()
    const names = new Set([...before.keys(), ...after.keys()])
    const prefix = path === '' ? '' : `${path}/`
    for (const name of [...names].sort().reverse()) pending.push([prefix + name, before.get(name), after.get(name)])
  }
}

function originalEntries(directory: Inode, views: TreeViews): ReadonlyMap<ByteString, Inode> {
  const entries = new Map(views.current(directory))
  for (const [name, original] of views.originals(directory)) {
    if (original === undefined) entries.delete(name)
    else entries.set(name, original)
  }
  return entries
}
