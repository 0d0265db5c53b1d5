/**
 * The files of an archive by name: of a tar, or of an unpacked OCI layout. Names are keys to look up, never paths to open: nothing
 * in an archive reaches the host's file system by its name.
 */
import { constants } from 'node:fs'
import { type FileHandle, lstat, open } from 'node:fs/promises'
import { join } from 'node:path'
import { EngineError } from '../errors.js'
import { readEntries } from '../layer/entry.js'
import { openFileSource } from '../layer/file-source.js'
import type { ByteSource } from '../layer/source.js'
import { MAXIMUM_DOCUMENT_BYTES } from '../oci/document.js'

/** Files of an archive. */
export interface ArchiveFiles {
  /** Bytes of the file, or null when there is none of that name. */
  size(name: string): Promise<number | null>
  /** Its contents. Throws INVALID_ARCHIVE when there is none of that name. */
  content(name: string): AsyncIterable<Uint8Array>
  close(): void
}

const CHUNK_BYTES = 1 << 20
/** Entries an image archive may have: a thousand layers have some thousands. */
const MAXIMUM_ENTRIES = 100_000
const MAXIMUM_FILE_BYTES = 2 ** 40
const MAXIMUM_LINKS = 16

/** A small file, whole. Throws INVALID_ARCHIVE when it is missing or larger than a document may be. */
export async function readArchiveDocument(files: ArchiveFiles, name: string): Promise<Uint8Array> {
  const size = await files.size(name)
  if (size === null) throw missing(name)
  if (size > MAXIMUM_DOCUMENT_BYTES)
    throw new EngineError('INVALID_ARCHIVE', `${name} has ${size} bytes; at most ${MAXIMUM_DOCUMENT_BYTES} are read`)
  const chunks: Uint8Array[] = []
  for await (const chunk of files.content(name)) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** Where a file's bytes stand in a tar, or the name that a link leads to. */
type TarMember = { readonly offset: number; readonly size: number } | { readonly target: string }

/** Reads the headers of an uncompressed tar. Throws INVALID_ARCHIVE, UNSAFE_PATH. */
export function openTarFiles(path: string): ArchiveFiles {
  const source = openFileSource(path)
  try {
    const members = readMembers(source)
    return {
      size: async (name) => follow(members, name)?.size ?? null,
      content: (name) => contentOf(source, name, follow(members, name)),
      close: () => source.close(),
    }
  } catch (error) {
    source.close()
    throw error
  }
}

function readMembers(source: ByteSource): ReadonlyMap<string, TarMember> {
  const members = new Map<string, TarMember>()
  let count = 0
  for (const entry of readEntries(source, { fileBytes: MAXIMUM_FILE_BYTES })) {
    if (++count > MAXIMUM_ENTRIES)
      throw new EngineError('LIMIT_EXCEEDED', `the archive holds more than ${MAXIMUM_ENTRIES} entries, which no image has`)
    const name = normalizeName(entry.name)
    if (entry.type === 'directory') continue
    if (members.has(name)) throw new EngineError('INVALID_ARCHIVE', `the archive holds ${JSON.stringify(name)} twice`)
    if (entry.type === 'symlink' || entry.type === 'hardlink') {
      const from = entry.type === 'symlink' ? name.split('/').slice(0, -1) : []
      members.set(name, { target: normalizeName([...from, entry.target].join('/'), { climbing: true }) })
    } else if (entry.type === 'file') {
      const [segment] = entry.segments
      if (entry.segments.length > 1 || (segment?.length ?? 0) !== entry.size || (segment?.position ?? 0) !== 0)
        throw new EngineError('INVALID_ARCHIVE', `${JSON.stringify(name)} is a sparse file, which no image archive has`)
      members.set(name, { offset: segment?.offset ?? 0, size: entry.size })
    } else throw new EngineError('INVALID_ARCHIVE', `${JSON.stringify(name)} is a ${entry.type}, which no image archive has`)
  }
  return members
}

/** `a/./b` as `a/b`. A name that leaves the archive is refused; a link's target may climb as long as it stays inside. */
function normalizeName(name: string, options: { readonly climbing?: boolean } = {}): string {
  const parts: string[] = []
  const refuse = (): never => {
    throw new EngineError('UNSAFE_PATH', `archive entry leaves the archive: ${JSON.stringify(name)}`, { data: { entry: name } })
  }
  if (name.startsWith('/')) refuse()
  for (const part of name.split('/')) {
    if (part === '' || part === '.') continue
    if (part !== '..') parts.push(part)
    else if (!options.climbing || parts.pop() === undefined) refuse()
  }
  return parts.join('/')
}

function follow(members: ReadonlyMap<string, TarMember>, name: string): { offset: number; size: number } | null {
  let member = members.get(normalizeName(name))
  for (let links = 0; member !== undefined && 'target' in member; links++) {
    if (links === MAXIMUM_LINKS) throw new EngineError('INVALID_ARCHIVE', `${JSON.stringify(name)} is a link that leads nowhere`)
    member = members.get(member.target)
  }
  return member ?? null
}

async function* contentOf(source: ByteSource, name: string, member: { offset: number; size: number } | null): AsyncGenerator<Uint8Array> {
  if (member === null) throw missing(name)
  for (let position = 0; position < member.size; ) {
    const chunk = new Uint8Array(Math.min(CHUNK_BYTES, member.size - position))
    const count = source.read(chunk, member.offset + position)
    if (count === 0) throw new EngineError('INVALID_ARCHIVE', `the archive ends inside ${JSON.stringify(name)}`)
    yield chunk.subarray(0, count)
    position += count
  }
}

/** The files of an OCI layout's folder: only regular files, and no link is followed but in the folder's own path, which is the user's. */
export function openFolderFiles(folder: string): ArchiveFiles {
  const openFile = async (name: string): Promise<FileHandle | null> => {
    const file = await openBelow(folder, normalizeName(name))
    if (file === null || (await file.stat()).isFile()) return file
    await file.close()
    throw new EngineError('INVALID_ARCHIVE', `${join(folder, name)} is no regular file`)
  }
  return {
    async size(name) {
      const file = await openFile(name)
      try {
        return file === null ? null : (await file.stat()).size
      } finally {
        await file?.close()
      }
    },
    async *content(name) {
      const file = await openFile(name)
      if (file === null) throw missing(name)
      yield* file.createReadStream({ highWaterMark: CHUNK_BYTES }) as AsyncIterable<Uint8Array>
    },
    close() {},
  }
}

/** Opens one name at a time below the last, so that whoever changes the folder meanwhile leads nowhere else. Null when there is none. */
async function openBelow(folder: string, name: string): Promise<FileHandle | null> {
  const names = name.split('/')
  let directory = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    for (const [place, component] of names.entries()) {
      // Non-blocking, or a FIFO laid in the folder would hold us for ever.
      const kind = place < names.length - 1 ? constants.O_DIRECTORY : constants.O_NONBLOCK
      const path = `/proc/self/fd/${directory.fd}/${component}`
      const next = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | kind).catch(async (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return null
        const isLink = (await lstat(path).catch(() => null))?.isSymbolicLink() === true
        if (isLink) throw new EngineError('UNSAFE_PATH', `${join(folder, name)} leads through a symlink, and none is followed in a layout`)
        if (error.code === 'ENOTDIR') return null
        throw new EngineError('INVALID_ARCHIVE', `cannot read ${join(folder, name)}: ${error.message}`, { cause: error })
      })
      if (next === null || place === names.length - 1) return next
      await directory.close()
      directory = next
    }
    return null
  } finally {
    await directory.close()
  }
}

function missing(name: string): EngineError {
  return new EngineError('INVALID_ARCHIVE', `the archive has no ${JSON.stringify(name)}`, {
    hint: 'Make the archive again; it does not hold the whole image.',
    data: { entry: name },
  })
}
