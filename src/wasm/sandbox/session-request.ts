import type { ByteString } from '../../fs/file-system.js'
import type { GuestProcess } from './protocol.js'
import type { ExecRequest, FileRequest, SessionRequest } from './session-protocol.js'

type Members = Readonly<Record<string, unknown>>

/** No id is larger (setuid(2)); the last one means none. */
const GREATEST_ID = 2 ** 32 - 2

/** What a session is asked for, with the members that it has and no others; null for anything else. */
export function parseRequest(text: string): SessionRequest | null {
  let said: unknown
  try {
    said = JSON.parse(text)
  } catch {
    return null
  }
  return isObject(said) ? (said.request === 'exec' ? readExec(said) : readFileRequest(said)) : null
}

/** Whether a request changes files, by what comes as its input. */
export function changesFiles({ request }: FileRequest): boolean {
  return request === 'write' || request === 'change'
}

function readExec({ process: asked, openStdin }: Members): ExecRequest | null {
  const process = readProcess(asked)
  return process === null || typeof openStdin !== 'boolean' ? null : { request: 'exec', process, openStdin }
}

function readFileRequest({ request, path, name, maximumBytes, bytes }: Members): FileRequest | null {
  if (request === 'read-root' || request === 'read-layer' || request === 'changes' || request === 'change') return { request }
  if (!isPath(path)) return null
  if (request === 'stat') return { request, path }
  if (request === 'read-file' && isCount(maximumBytes)) return { request, path, maximumBytes }
  if (request === 'read' && isByteString(name)) return { request, path, name }
  if (request === 'write' && isCount(bytes)) return { request, path, bytes }
  return null
}

function readProcess(said: unknown): GuestProcess | null {
  if (!isObject(said) || !isObject(said.user)) return null
  const { args, env, cwd, terminal } = said
  const { uid, gid, additionalGids } = said.user
  if (!isTexts(args) || args.length === 0 || !isTexts(env)) return null
  if (!isText(cwd) || !cwd.startsWith('/') || typeof terminal !== 'boolean') return null
  if (!isId(uid) || !isId(gid) || !Array.isArray(additionalGids) || !additionalGids.every(isId)) return null
  return { args, env, cwd, terminal, user: { uid, gid, additionalGids } }
}

function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && !value.includes('\0')
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(isText)
}

/** A byte string, absolute. */
function isPath(value: unknown): value is ByteString {
  return isByteString(value) && value.startsWith('/')
}

function isByteString(value: unknown): value is ByteString {
  return isText(value) && [...value].every((character) => character.charCodeAt(0) < 256)
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function isId(value: unknown): value is number {
  return isCount(value) && value <= GREATEST_ID
}
