import type { ByteString, DeviceNumber, FileType, Ino, ReadonlyFileSystem, Stat } from './file-system.js'

/** One path of a tree with every attribute that two equal trees share. */
export interface ListedPath {
  /** From the root, without a leading slash; empty for the root. */
  readonly path: ByteString
  readonly ino: Ino
  readonly type: FileType
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Of a file; null for anything else, whose size says nothing. */
  readonly size: number | null
  readonly device: DeviceNumber | null
  readonly target: ByteString | null
  /** The first path listed of the same inode, when there is one: hard links, whatever their count says. */
  readonly linkOf: ByteString | null
  readonly xattrs: ReadonlyMap<ByteString, Uint8Array>
  readonly mtimeNs: bigint
}

/** Every path of a tree, a directory before what is in it, names in byte order. */
export function* listTree(fs: ReadonlyFileSystem): Generator<ListedPath, void, undefined> {
  const first = new Map<Ino, ByteString>()
  // A stack and not recursion: trees may be deeper than ours.
  const pending: { readonly path: ByteString; readonly ino: Ino }[] = [{ path: '', ino: fs.root }]
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { path, ino } = next
    const stat = fs.stat(ino)
    yield listPath(fs, path, stat, first)
    if (stat.type !== 'directory') continue
    const entries = [...fs.readdir(ino)].sort((left, right) => (left.name < right.name ? 1 : -1))
    for (const entry of entries) pending.push({ path: path === '' ? entry.name : `${path}/${entry.name}`, ino: entry.ino })
  }
}

function listPath(fs: ReadonlyFileSystem, path: ByteString, stat: Stat, first: Map<Ino, ByteString>): ListedPath {
  const { ino, type, mode, uid, gid, size, device, mtimeNs } = stat
  const linkOf = type === 'directory' ? null : (first.get(ino) ?? null)
  if (linkOf === null) first.set(ino, path)
  const target = type === 'symlink' ? fs.readlink(ino) : null
  const xattrs = new Map([...fs.xattrs(ino)].sort(([left], [right]) => (left < right ? -1 : 1)))
  return { path, ino, type, mode, uid, gid, size: type === 'file' ? size : null, device, target, linkOf, xattrs, mtimeNs }
}

/** A listing as text, one path a line, for comparing and for people: fields between tabs, bytes that would break a line as `\xNN`. */
export function formatListing(paths: Iterable<ListedPath>): string {
  let text = ''
  for (const { path, type, mode, uid, gid, size, device, target, linkOf, xattrs, mtimeNs } of paths) {
    const fields = [escapeBytes(path) || '.', type, mode.toString(8).padStart(4, '0'), `${uid}:${gid}`]
    if (size !== null) fields.push(`size=${size}`)
    if (device !== null) fields.push(`device=${device.major}:${device.minor}`)
    if (target !== null) fields.push(`target=${escapeBytes(target)}`)
    if (linkOf !== null) fields.push(`link=${escapeBytes(linkOf)}`)
    fields.push(`mtime=${mtimeNs}`)
    for (const [name, value] of xattrs) fields.push(`xattr:${escapeBytes(name)}=${hex(value)}`)
    text += `${fields.join('\t')}\n`
  }
  return text
}

function escapeBytes(name: ByteString): string {
  return name.replace(/[^\x21-\x5b\x5d-\x7e]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`)
}

function hex(value: Uint8Array): string {
  return Array.from(value, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
