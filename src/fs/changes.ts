import type { ByteString, Change } from './file-system.js'
import type { Inode } from './inode.js'

/** The names of a union's directory as they are, and as the layers have them. */
export interface DirectoryViews {
  current(directory: Inode): ReadonlyMap<ByteString, Inode>
  original(directory: Inode): ReadonlyMap<ByteString, Inode>
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
export function* changesOf(root: Inode, views: DirectoryViews): Generator<Change, void, undefined> {
  const moved = movedLinks(root, views)
  for (const [path, original, current] of pairsBelow(root, moved.size > 0 ? { ...views, searchUnread: true } : views)) {
    if (current === undefined) {
      // A name that came and went again is no difference.
      if (original !== undefined) yield { path, kind: 'deleted' }
      continue
    }
    const replaced = original !== undefined && original !== current
    if (original === undefined) yield { path, kind: 'added' }
    else if (replaced || current.changed || moved.has(current)) {
      const opaque = replaced && original.type === 'directory' && current.type === 'directory'
      yield opaque ? { path, kind: 'modified', opaque } : { path, kind: 'modified' }
    }
  }
}

/** Unchanged files of the layers that have another name in them and stand where they did not. */
function movedLinks(root: Inode, views: DirectoryViews): ReadonlySet<Inode> {
  const moved = new Set<Inode>()
  for (const [, original, current] of pairsBelow(root, views))
    if (current !== undefined && current !== original && !current.changed && current.directory === null && current.linkCount > 1)
      moved.add(current)
  return moved
}

/** Every path with what the layers have there and what is there now. */
function* pairsBelow(root: Inode, views: DirectoryViews): Generator<Pair, void, undefined> {
  // A stack and not recursion: a guest decides how deep the tree is.
  const pending: Pair[] = [['', root, root]]
  for (let pair = pending.pop(); pair !== undefined; pair = pending.pop()) {
    yield pair
    const [path, original, current] = pair
    if (current === undefined || current.directory === null) continue
    if (original === current && current.directory.entries === null && !views.searchUnread) continue
    const before = original?.type === 'directory' ? views.original(original) : new Map<ByteString, Inode>()
    const after = views.current(current)
    const names =
      original === current
        ? new Set([...after.keys(), ...(current.directory.originals?.keys() ?? [])])
        : new Set([...before.keys(), ...after.keys()])
    const prefix = path === '' ? '' : `${path}/`
    for (const name of [...names].sort().reverse()) pending.push([prefix + name, before.get(name), after.get(name)])
  }
}
