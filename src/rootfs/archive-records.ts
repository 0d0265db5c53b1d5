/**
 * A tar as the records of a tree stream for `path-write`: what a file holds is copied by the launcher out of the tar itself (`tree-source`).
 */
import { EngineError } from '../errors.js'
import type { ByteString } from '../fs/file-system.js'
import { MAXIMUM_FILE_BYTES } from '../fs/file-system.js'
import type { TreeEntry, TreeRecord } from '../launcher/tree-stream.js'
import { archivePath, parentPath } from '../layer/archive-path.js'
import { readEntries, type TarEntry } from '../layer/entry.js'
import type { ByteSource } from '../layer/source.js'
import { cannotMakeDevice } from '../layer/tree-copy.js'
import { isKeptXattr } from './tree-records.js'

/** Throws INVALID_ARCHIVE, UNSAFE_PATH, LIMIT_EXCEEDED, and INVALID_ARGUMENT for a device, which nobody can make here. */
export function* archiveRecords(tar: ByteSource): Generator<TreeRecord> {
  const directories = new Set<ByteString>([''])
  for (const entry of readEntries(tar, { fileBytes: MAXIMUM_FILE_BYTES })) {
    const path = archivePath(entry.name)
    if (entry.type === 'socket') continue
    if (path === '' && entry.type !== 'directory')
      throw new EngineError('INVALID_ARCHIVE', `an entry of the archive without a name is no directory: ${JSON.stringify(entry.name)}`)
    if (entry.type === 'directory') directories.add(path)
    const isOwn = (place: ByteString) => directories.has(parentPath(place))
    const loose = !isOwn(path) || (entry.type === 'hardlink' && !isOwn(archivePath(entry.target)))
    yield { record: 'entry', entry: entryOf(entry, path, { loose }) }
    for (const { position, offset, length } of entry.type === 'file' ? entry.segments : [])
      yield { record: 'copy', offset: position, sourceOffset: offset, length }
    // The place itself keeps what it has. Behind the bytes, since writing takes capabilities away.
    if (path !== '' && (entry.type === 'file' || entry.type === 'directory'))
      for (const [name, value] of entry.xattrs) if (isKeptXattr(name)) yield { record: 'xattr', name, value }
  }
  yield { record: 'end' }
}

function entryOf(entry: TarEntry, path: ByteString, { loose }: { readonly loose: boolean }): TreeEntry {
  const { type, mode, uid, gid, size, mtimeNs, atimeNs } = entry
  if (type === 'character-device' || type === 'block-device') throw cannotMakeDevice(path)
  const attributes = { path, mode, uid, gid, mtimeNs, atimeNs: atimeNs ?? mtimeNs, loose }
  if (type === 'hardlink') return { ...attributes, kind: 'hard-link', target: archivePath(entry.target) }
  return { ...attributes, kind: type, size: type === 'file' ? size : 0, target: type === 'symlink' ? entry.target : '' }
}
