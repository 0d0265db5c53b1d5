/**
 * Answers a sandbox that asks for file systems of this process.
 *
 * Who asks may be a guest that has broken out of V8. It can name inodes and single names, which the tree behind takes or refuses, and
 * nothing else: no path, no other tree. One request is taken at a time and its answer sent before the next is read, so that no more than
 * one of each is ever held, and this process's own work has its turn between any two. What is no request ends the conversation.
 */
import type { Duplex } from 'node:stream'
import { ErrnoError } from '../fs/errno.js'
import {
  type AttributeChange,
  type ByteString,
  FILE_TYPES,
  type FileSystem,
  type FileType,
  type Ino,
  type NewInode,
} from '../fs/file-system.js'
import type { LazyContents } from '../store/layer-store.js'
import {
  ENSURE,
  ENSURE_BYTES,
  REMOTE_BODY_BYTES,
  REMOTE_FRAME_BYTES,
  REMOTE_HEAD_BYTES,
  type RemoteAnswer,
  remoteFrame,
} from './sandbox/remote-protocol.js'

/** A file system that may be asked for, and whether it may be changed. */
export interface ServedFileSystem {
  readonly fs: FileSystem
  readonly readonly: boolean
}

/** What a number may stand for: a file system, or a layer whose contents come when they are asked for. */
export type Served = ServedFileSystem | { readonly contents: Pick<LazyContents, 'ensure'> }

const TYPES: ReadonlySet<unknown> = new Set<FileType>(FILE_TYPES)
/** The longest name or target, in bytes. */
const LONGEST_TEXT = 4096
const CHANGES: ReadonlySet<string> = new Set(['create', 'setAttributes', 'write', 'link', 'unlink', 'rmdir', 'rename'])

class Malformed extends Error {
  override readonly name = 'Malformed'
}

/** Serves until the stream ends; resolves then, also when it is broken off because it says what no sandbox says. Never rejects. */
export async function serveFileSystems(stream: Duplex, served: ReadonlyMap<number, Served>): Promise<void> {
  try {
    for (;;) {
      const lengths = await take(stream, REMOTE_FRAME_BYTES)
      if (lengths === null) return
      const headBytes = lengths.readUInt32LE(0)
      const bodyBytes = lengths.readUInt32LE(4)
      if (headBytes > REMOTE_HEAD_BYTES || bodyBytes > REMOTE_BODY_BYTES) throw new Malformed('too long')
      const rest = await take(stream, headBytes + bodyBytes)
      if (rest === null) return
      const frame = await answer(rest.subarray(0, headBytes), rest.subarray(headBytes), served)
      await send(stream, frame)
      // Others first, however quickly it asks.
      await new Promise(setImmediate)
    }
  } catch {
    // Gone, or no sandbox of ours.
  } finally {
    stream.destroy()
  }
}

/** So many bytes, or null when the stream ends before. */
async function take(stream: Duplex, length: number): Promise<Buffer | null> {
  const pieces: Buffer[] = []
  for (let missing = length; missing > 0; ) {
    const piece = stream.read(Math.min(missing, Math.max(1, stream.readableLength))) as Buffer | null
    if (piece !== null) {
      pieces.push(piece)
      missing -= piece.length
    } else if (stream.readableEnded || stream.destroyed) return null
    else await event(stream, 'readable')
  }
  return Buffer.concat(pieces)
}

async function send(stream: Duplex, frame: Buffer): Promise<void> {
  if (!stream.write(frame)) await event(stream, 'drain')
}

/** Resolves at the event, or when there will be none. */
function event(stream: Duplex, name: 'readable' | 'drain'): Promise<void> {
  return new Promise((resolve) => {
    const names = [name, 'end', 'close', 'error']
    const done = (): void => {
      for (const each of names) stream.off(each, done)
      resolve()
    }
    for (const each of names) stream.on(each, done)
  })
}

async function answer(head: Buffer, body: Buffer, served: ReadonlyMap<number, Served>): Promise<Buffer> {
  const request = record(parsed(head))
  const { number, call, arguments: arguments_ } = request
  const found = served.get(number as number)
  if (found === undefined || typeof call !== 'string' || !Array.isArray(arguments_)) throw new Malformed('no request')
  if ('contents' in found) return answerEnsure(found.contents, call, arguments_)
  try {
    if (found.readonly && CHANGES.has(call)) throw new ErrnoError('EROFS')
    const { value = null, contents } = perform(found.fs, call, arguments_, body)
    return remoteFrame({ value } satisfies RemoteAnswer, contents)
  } catch (error) {
    if (error instanceof Malformed) throw error
    return remoteFrame({ errno: error instanceof ErrnoError ? error.code : 'EIO' })
  }
}

async function answerEnsure(contents: Pick<LazyContents, 'ensure'>, call: string, given: readonly unknown[]): Promise<Buffer> {
  if (call !== ENSURE) throw new Malformed(`no call ${call}`)
  const [position, length] = [whole(given[0]), whole(given[1], ENSURE_BYTES)]
  return contents.ensure(position, length).then(
    () => remoteFrame({ value: null }),
    // Whoever brings it tells the user why.
    () => remoteFrame({ errno: 'EIO' }),
  )
}

interface Result {
  readonly value?: unknown
  readonly contents?: Uint8Array
}

function perform(fs: FileSystem, call: string, given: readonly unknown[], body: Buffer): Result {
  switch (call) {
    case 'root':
      return { value: fs.root }
    case 'lookup':
      return { value: fs.lookup(ino(given[0]), text(given[1])) ?? null }
    case 'stat': {
      const { atimeNs, mtimeNs, ctimeNs, ...rest } = fs.stat(ino(given[0]))
      return { value: { ...rest, atimeNs: String(atimeNs), mtimeNs: String(mtimeNs), ctimeNs: String(ctimeNs) } }
    }
    case 'readdir':
      return { value: fs.readdir(ino(given[0])) }
    case 'readlink':
      return { value: fs.readlink(ino(given[0])) }
    case 'read': {
      const contents = new Uint8Array(whole(given[2], REMOTE_BODY_BYTES))
      return { contents: contents.subarray(0, fs.read(ino(given[0]), contents, whole(given[1]))) }
    }
    case 'create':
      return { value: fs.create(ino(given[0]), text(given[1]), newInode(given[2])) }
    case 'setAttributes':
      return { value: fs.setAttributes(ino(given[0]), attributeChange(given[1])) }
    case 'write':
      return { value: fs.write(ino(given[0]), body, whole(given[1])) }
    case 'link':
      return { value: fs.link(ino(given[0]), ino(given[1]), text(given[2])) }
    case 'unlink':
      return { value: fs.unlink(ino(given[0]), text(given[1])) }
    case 'rmdir':
      return { value: fs.rmdir(ino(given[0]), text(given[1])) }
    case 'rename':
      return { value: fs.rename(ino(given[0]), text(given[1]), ino(given[2]), text(given[3])) }
    case 'retain':
      return { value: fs.retain(ino(given[0])) }
    case 'release':
      return { value: fs.release(ino(given[0])) }
    default:
      throw new Malformed(`no call ${call}`)
  }
}

function parsed(head: Buffer): unknown {
  try {
    return JSON.parse(head.toString())
  } catch {
    throw new Malformed('no JSON')
  }
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) throw new Malformed('no object')
  return value as Readonly<Record<string, unknown>>
}

function whole(value: unknown, most = Number.MAX_SAFE_INTEGER): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0 || (value as number) > most) throw new Malformed('no number')
  return value as number
}

const ino = (value: unknown): Ino => whole(value)

/** A byte string: what it may name is the tree's to say. */
function text(value: unknown): ByteString {
  if (typeof value !== 'string' || value.length > LONGEST_TEXT || /[^\0-\xff]/.test(value)) throw new Malformed('no name')
  return value
}

function newInode(value: unknown): NewInode {
  const { type, mode, uid, gid, target } = record(value)
  if (!TYPES.has(type)) throw new Malformed('no type')
  return {
    type: type as FileType,
    mode: whole(mode, 0o7777),
    uid: whole(uid),
    gid: whole(gid),
    ...(target === null ? {} : { target: text(target) }),
  }
}

function attributeChange(value: unknown): AttributeChange {
  const { mode, uid, gid, size, atimeNs, mtimeNs } = record(value)
  return {
    ...(mode === undefined ? {} : { mode: whole(mode, 0o7777) }),
    ...(uid === undefined ? {} : { uid: whole(uid) }),
    ...(gid === undefined ? {} : { gid: whole(gid) }),
    ...(size === undefined ? {} : { size: whole(size) }),
    ...(atimeNs === undefined ? {} : { atimeNs: time(atimeNs) }),
    ...(mtimeNs === undefined ? {} : { mtimeNs: time(mtimeNs) }),
  }
}

function time(value: unknown): bigint {
  if (typeof value !== 'string' || !/^-?\d{1,20}$/.test(value)) throw new Malformed('no time')
  return BigInt(value)
}
