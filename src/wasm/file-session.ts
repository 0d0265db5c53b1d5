/** The files of a running container, asked of its sandbox. What that says is checked, for a guest that has broken out of V8. */
import { EngineError } from '../errors.js'
import { type ByteString, type Change, FILE_TYPES, type FileType } from '../fs/file-system.js'
import { decompressionLimits, limitExceeded } from '../layer/limits.js'
import type { PathStat, TarFileSource } from '../runtime/container-files.js'
import type { WritableLayer } from '../runtime/writable-layer.js'
import type { FileRequest } from './sandbox/session-protocol.js'
import { mustOpenSession } from './sandbox-session.js'

/** Of an answer that is one line; the longest holds a symlink's target, each byte of which may take six in JSON. */
const LINE_BYTES = 65_536
/** Of what has changed: all lines, and how many; a million inodes may be new, and as many of an image gone. */
const CHANGES_BYTES = 2 ** 28
const CHANGES_MAXIMUM = 2 ** 21
const PIECE_BYTES = 262_144
const LINE_FEED = 10
const TYPES: ReadonlySet<unknown> = new Set<FileType>(FILE_TYPES)
const KINDS: ReadonlySet<unknown> = new Set<Change['kind']>(['added', 'modified', 'deleted'])

/** At most so many bytes of a file of a running container; empty when there is none. Rejects with CONFLICT when it is not running. */
export function readSandboxFile(folder: string, path: ByteString, maximumBytes: number): Promise<Buffer> {
  return answerOf(folder, { request: 'read-file', path, maximumBytes }, maximumBytes)
}

/** What stands at a path; null for nothing. */
export async function statInSandbox(folder: string, path: ByteString): Promise<PathStat | null> {
  return parseStat((await answerOf(folder, { request: 'stat', path }, LINE_BYTES)).toString('utf8'))
}

/** What a container has written over its image's layers, as it is now. */
export function changesInSandbox(folder: string): Promise<WritableLayer> {
  return parseChanges(fileOutput(folder, { request: 'changes' }, CHANGES_BYTES))
}

/** Unpacks a tar below the directory at `path`. Rejects with what the sandbox says is in its way. */
export async function writeInSandbox(folder: string, path: ByteString, tar: TarFileSource): Promise<void> {
  const pieces = function* () {
    for (let position = 0; position < tar.size; ) {
      const piece = Buffer.allocUnsafe(PIECE_BYTES)
      const count = tar.read(piece, position)
      if (count === 0) return
      position += count
      yield piece.subarray(0, count)
    }
  }
  await sendInto(folder, { request: 'write', path, bytes: tar.size }, pieces())
}

/** Has the root changed as a tree stream says. Rejects as {@link writeInSandbox}. */
export function changeInSandbox(folder: string, stream: Iterable<Uint8Array>): Promise<void> {
  return sendInto(folder, { request: 'change' }, stream)
}

/** Makes a request whose input are these pieces, each asked for when the one before it has gone. */
async function sendInto(folder: string, request: FileRequest, pieces: Iterable<Uint8Array>): Promise<void> {
  const session = await mustOpenSession(folder, request)
  session.stdout.resume()
  session.stderr.resume()
  const finished = session.finished()
  let isOver = false
  const over = finished
    .catch(() => {})
    .then(() => {
      isOver = true
    })
  try {
    for (const piece of pieces) {
      if (isOver) break
      await Promise.race([over, new Promise<void>((resolve) => session.stdin.write(piece, () => resolve()))])
    }
    if (!isOver) session.stdin.end()
    await finished
  } finally {
    session.close()
  }
}

async function answerOf(folder: string, request: FileRequest, maximumBytes: number): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of fileOutput(folder, request, maximumBytes)) pieces.push(piece)
  return Buffer.concat(pieces)
}

/** What `stat` is answered with. Throws SANDBOX_FAILED for what is no answer. */
export function parseStat(text: string): PathStat | null {
  const said = parsed(text)
  if (said === null) return null
  const { type, mode, uid, gid, size, mtimeNs, target } = (typeof said === 'object' ? said : {}) as Readonly<Record<string, unknown>>
  if (!TYPES.has(type) || ![mode, uid, gid, size].every(isCount) || !isByteString(target)) throw noAnswer()
  if (typeof mtimeNs !== 'string' || !/^-?\d{1,19}$/.test(mtimeNs)) throw noAnswer()
  return {
    type: type as FileType,
    mode: (mode as number) & 0o7777,
    uid: uid as number,
    gid: gid as number,
    size: size as number,
    mtimeNs: BigInt(mtimeNs),
    target,
  }
}

/** What `changes` is answered with, line by line: all at once would be a list as long as it is. Rejects with SANDBOX_FAILED for what is no answer. */
export async function parseChanges(pieces: AsyncIterable<Buffer> | Iterable<Buffer>): Promise<WritableLayer> {
  const changes: Change[] = []
  let bytes: number | null = null
  for await (const line of linesOf(pieces)) {
    const said = parsed(line)
    // The last says how many bytes they are.
    if (!Array.isArray(said) || bytes !== null) throw noAnswer()
    const [kind, path] = said as readonly unknown[]
    if (said.length === 1 && isCount(kind)) bytes = kind
    else if (!KINDS.has(kind) || !isByteString(path) || changes.length === CHANGES_MAXIMUM) throw noAnswer()
    else changes.push({ kind: kind as Change['kind'], path })
  }
  if (bytes === null) throw noAnswer()
  return { changes, bytes }
}

/** Lines that have an end, each no longer than any may be. */
async function* linesOf(pieces: AsyncIterable<Buffer> | Iterable<Buffer>): AsyncGenerator<string, void, undefined> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const piece of pieces) {
    const bytes = rest.length === 0 ? piece : Buffer.concat([rest, piece])
    let start = 0
    for (let end = bytes.indexOf(LINE_FEED); end !== -1; end = bytes.indexOf(LINE_FEED, start)) {
      yield bytes.toString('utf8', start, end)
      start = end + 1
    }
    rest = bytes.subarray(start)
    if (rest.length > LINE_BYTES) throw noAnswer()
  }
  if (rest.length > 0) throw noAnswer()
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    throw noAnswer()
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function isByteString(value: unknown): value is ByteString {
  if (typeof value !== 'string' || value.includes('\0')) return false
  for (let place = 0; place < value.length; place++) if (value.charCodeAt(place) > 255) return false
  return true
}

function noAnswer(): EngineError {
  return new EngineError('SANDBOX_FAILED', 'the sandbox said what no sandbox says of its files')
}

/**
 * Files of a running container as a tar, which is a stranger's archive like any other: it may have no more bytes than those unpack to. Rejects
 * with LIMIT_EXCEEDED, and as {@link fileOutput}.
 */
export function tarOutput(folder: string, request: FileRequest): AsyncGenerator<Buffer, void, undefined> {
  const { maximumBytes } = decompressionLimits(process.env)
  return fileOutput(folder, request, maximumBytes, () =>
    limitExceeded(`the container's files are more than ${maximumBytes} bytes`, 'WOLFFIA_ARCHIVE_BYTES', { limit: maximumBytes }),
  )
}

/** What a request about files gives, in pieces. Rejects with what the sandbox says of it, and with SANDBOX_FAILED beyond `maximumBytes`. */
export async function* fileOutput(
  folder: string,
  request: FileRequest,
  maximumBytes: number,
  exceeded = () => new EngineError('SANDBOX_FAILED', 'the sandbox sends more than it was asked for'),
): AsyncGenerator<Buffer, void, undefined> {
  const session = await mustOpenSession(folder, request)
  session.stderr.resume()
  try {
    let length = 0
    for await (const piece of session.stdout as AsyncIterable<Buffer>) {
      length += piece.length
      // A guest that has broken out of V8 may send without end.
      if (length > maximumBytes) throw exceeded()
      yield piece
    }
    await session.finished()
  } finally {
    session.close()
  }
}
