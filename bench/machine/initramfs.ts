/** A first root for a kernel: the `newc` form of cpio, as the kernel's documentation has it (driver-api/early-userspace/buffer-format). */
import { closeSync, lstatSync, openSync, readdirSync, readFileSync, readlinkSync, writeSync } from 'node:fs'

/** A file, a folder (without content) or a symbolic link of the root. */
export interface RootEntry {
  /** Without a slash in front. */
  readonly path: string
  /** Kind and permissions, as stat(2) has them. */
  readonly mode: number
  readonly content?: Uint8Array
  /** Root when absent. */
  readonly uid?: number
}

const [FOLDER, FILE, LINK] = [0o040000, 0o100000, 0o120000]

/** A folder. */
export function folder(path: string, mode = 0o755, uid = 0): RootEntry {
  return { path, mode: FOLDER | mode, uid }
}

/** A file of this content. */
export function file(path: string, content: Uint8Array | string, mode = 0o644, uid = 0): RootEntry {
  return { path, mode: FILE | mode, content: Buffer.from(content), uid }
}

/** A symbolic link. */
export function link(path: string, target: string): RootEntry {
  return { path, mode: LINK | 0o777, content: bytes(target) }
}

/** The files, folders and links below a folder of this host, as `at` and below it, all owned by `uid`. Names are byte strings. */
export function tree(source: string, at = '', uid = 0): Generator<RootEntry> {
  return below(Buffer.from(source).toString('latin1'), at, uid)
}

function* below(source: string, at: string, uid: number): Generator<RootEntry> {
  for (const name of readdirSync(bytes(source), 'latin1').sort()) {
    const [from, path] = [`${source}/${name}`, at === '' ? name : `${at}/${name}`]
    const stat = lstatSync(bytes(from))
    if (stat.isDirectory()) {
      yield folder(path, stat.mode & 0o7777, uid)
      yield* below(from, path, uid)
    } else if (stat.isSymbolicLink()) yield link(path, readlinkSync(bytes(from), 'latin1'))
    else if (stat.isFile()) yield file(path, readFileSync(bytes(from)), stat.mode & 0o7777, uid)
  }
}

const bytes = (text: string) => Buffer.from(text, 'latin1')

/** Writes them, in this order: what lies in a folder comes after it. */
export function writeInitramfs(output: string, entries: Iterable<RootEntry>): void {
  const descriptor = openSync(output, 'w')
  try {
    let inode = 1
    for (const entry of entries) writeEntry(descriptor, entry, inode++)
    writeEntry(descriptor, { path: 'TRAILER!!!', mode: 0 }, 0)
  } finally {
    closeSync(descriptor)
  }
}

function writeEntry(descriptor: number, { path, mode, content = Buffer.alloc(0), uid = 0 }: RootEntry, inode: number): void {
  const name = bytes(`${path}\0`)
  // inode, mode, uid, gid, links, mtime, size, four numbers of devices, length of the name, checksum
  const fields = [inode, mode, uid, uid, 1, 0, content.length, 0, 0, 0, 0, name.length, 0]
  const header = Buffer.from(`070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`)
  for (const part of [padded(Buffer.concat([header, name])), padded(content)])
    for (let at = 0; at < part.length; ) at += writeSync(descriptor, part, at)
}

function padded(bytes: Uint8Array): Uint8Array {
  const rest = (4 - (bytes.length % 4)) % 4
  return rest === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(rest)])
}
