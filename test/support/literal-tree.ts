import { ErrnoError } from '../../src/fs/errno.js'
import type { FileType, Ino, ReadonlyFileSystem } from '../../src/fs/file-system.js'
import { fromUtf8 } from '../../src/fs/names.js'

/** A file's content, a symlink's target, or a directory's entries. */
export type LiteralNode = { readonly content: string | Uint8Array; readonly mode?: number } | { readonly target: string } | LiteralDirectory

/** Entries by name. */
export interface LiteralDirectory {
  readonly entries: Readonly<Record<string, LiteralNode>>
}

/** A read-only tree written down as a literal, for tests that only look. */
export function literalTree(root: LiteralDirectory['entries']): ReadonlyFileSystem {
  const nodes: LiteralNode[] = [{ entries: root }]
  const inos = new Map<LiteralNode, Ino>([[nodes[0] as LiteralNode, 0]])
  const node = (ino: Ino) => nodes[ino] as LiteralNode
  const inoOf = (each: LiteralNode) => {
    const known = inos.get(each)
    if (known !== undefined) return known
    inos.set(each, nodes.length)
    return nodes.push(each) - 1
  }
  const entriesOf = (ino: Ino) => {
    const directory = node(ino)
    if (!('entries' in directory)) throw new ErrnoError('ENOTDIR')
    return directory.entries
  }
  const typeOf = (each: LiteralNode): FileType => ('entries' in each ? 'directory' : 'target' in each ? 'symlink' : 'file')
  const contentOf = (each: LiteralNode) => ('content' in each ? Buffer.from(each.content) : Buffer.alloc(0))
  return {
    root: 0,
    lookup: (directory, name) => {
      const entries = entriesOf(directory)
      const found = Object.keys(entries).find((each) => fromUtf8(each) === name)
      return found === undefined ? undefined : inoOf(entries[found] as LiteralNode)
    },
    stat: (ino) => ({
      ino,
      type: typeOf(node(ino)),
      mode: (node(ino) as { mode?: number }).mode ?? 0o755,
      uid: 0,
      gid: 0,
      linkCount: 1,
      size: contentOf(node(ino)).length,
      device: null,
      atimeNs: 0n,
      mtimeNs: 0n,
      ctimeNs: 0n,
    }),
    readdir: (directory) =>
      Object.entries(entriesOf(directory)).map(([name, each]) => ({ name: fromUtf8(name), ino: inoOf(each), type: typeOf(each) })),
    readlink: (ino) => {
      const link = node(ino)
      if (!('target' in link)) throw new ErrnoError('EINVAL')
      return fromUtf8(link.target)
    },
    read: (ino, buffer, position) => contentOf(node(ino)).copy(buffer, 0, position),
    xattrs: () => new Map(),
  }
}
