import { once } from 'node:events'
import type { ByteString } from '../fs/file-system.js'
import { FIRST_DESCRIPTOR, launch } from '../launcher/client.js'
import type { IdMap } from '../launcher/id-map.js'
import { idMapOperations } from '../launcher/id-map.js'
import type { TreeEntry, TreeRecord } from '../launcher/tree-stream.js'
import { TreeStreamDecoder } from '../launcher/tree-stream.js'
import type { ContentsDigest, ListedFile } from './listing.js'
import { byPath } from './listing.js'
import type { OverlayRoot } from './overlay.js'
import { overlayOperations } from './overlay.js'
import { isKeptXattr } from './tree-records.js'

/**
 * The records of the tree that the kernel shows for a stack of directories: its own overlay, mounted for this in a user namespace and
 * read there. Rejects with what the launcher says; a stream that is cut short is an INVALID_ARCHIVE.
 */
export async function* captureTree(idMap: IdMap, root: OverlayRoot): AsyncGenerator<TreeRecord> {
  const launcher = launch(
    {
      operations: [
        ...idMapOperations(idMap),
        ['namespace', 'mount'],
        ...overlayOperations(root),
        ['switch-root'],
        ['tree-read', '/', FIRST_DESCRIPTOR],
      ],
      exec: null,
    },
    { descriptors: ['pipe'] },
  )
  const [stream] = launcher.streams
  const decoder = new TreeStreamDecoder()
  if (stream) {
    if (!stream.readable) await once(stream, 'readable')
    for await (const chunk of stream) yield* decoder.push(chunk as Buffer)
  }
  await launcher.done
  decoder.finish()
}

/** Every name of the tree that the kernel shows, as `listFileSystem` lists one of ours. */
export async function listKernelTree(idMap: IdMap, root: OverlayRoot, digest?: ContentsDigest): Promise<ListedFile[]> {
  const files = new Map<ByteString, CapturedFile>()
  const links: [ByteString, ByteString][] = []
  let current: CapturedFile | undefined
  for await (const record of captureTree(idMap, root)) {
    if (record.record === 'entry') {
      const { entry } = record
      current = { entry, xattrs: [], contents: [] }
      if (entry.kind === 'hard-link') links.push([entry.path, entry.target ?? ''])
      else files.set(entry.path, current)
    } else if (record.record === 'xattr') current?.xattrs.push([record.name, record.value])
    else if (record.record === 'data') current?.contents.push({ offset: record.offset, bytes: Uint8Array.from(record.bytes) })
  }
  const listed = [...files.values()].map((file) => listedFile(file, digest))
  const byName = new Map(listed.map((file) => [file.path, file]))
  for (const [path, target] of links) {
    const file = byName.get(target)
    if (file !== undefined) listed.push({ ...file, path })
  }
  return withFirstNames(listed, new Map(links))
}

interface CapturedFile {
  readonly entry: TreeEntry
  readonly xattrs: [ByteString, Uint8Array][]
  readonly contents: { readonly offset: number; readonly bytes: Uint8Array }[]
}

function listedFile({ entry, xattrs, contents }: CapturedFile, digest: ContentsDigest | undefined): ListedFile {
  const { path, kind, mode, uid, gid, mtimeNs } = entry
  const size = entry.size ?? 0
  if (kind === 'hard-link') throw new TypeError('a hard link has no inode of its own')
  return {
    path,
    type: kind,
    mode,
    uid,
    gid,
    mtimeNs,
    size: kind === 'file' ? size : null,
    target: kind === 'symlink' ? (entry.target ?? '') : null,
    linkTo: null,
    xattrs: new Map(xattrs.filter(([name]) => isKeptXattr(name)).sort(([left], [right]) => (left < right ? -1 : 1))),
    contents: kind === 'file' && digest !== undefined ? digest(withHoles(contents, size)) : null,
  }
}

/** Which of several names of an inode comes first is the reader's order in the stream, and the sorted order in a listing. */
function withFirstNames(listed: readonly ListedFile[], links: ReadonlyMap<ByteString, ByteString>): ListedFile[] {
  const sorted = [...listed].sort(byPath)
  const firstNames = new Map<ByteString, ByteString>()
  return sorted.map((file) => {
    const inode = links.get(file.path) ?? file.path
    const first = firstNames.get(inode)
    if (first === undefined) firstNames.set(inode, file.path)
    return { ...file, linkTo: first ?? null }
  })
}

function* withHoles(contents: readonly { readonly offset: number; readonly bytes: Uint8Array }[], size: number): Generator<Uint8Array> {
  const zeros = new Uint8Array(64 * 1024)
  let position = 0
  for (const { offset, bytes } of [...contents, { offset: size, bytes: new Uint8Array() }]) {
    for (; position < offset; position += Math.min(zeros.length, offset - position))
      yield zeros.subarray(0, Math.min(zeros.length, offset - position))
    yield bytes
    position += bytes.length
  }
}
