/**
 * How the guest's thread asks the supervisor for a file system of its own: one request, one answer. Each is framed as the length of its head
 * (32 bits, little-endian), the length of its body, the head (JSON), the body (file contents). Numbers of 64 bits are strings.
 */
export const REMOTE_FRAME_BYTES = 8
/** Of a request's head: the longest has two names and a symlink's target, each byte of which may take six in JSON. */
export const REMOTE_HEAD_BYTES = 64 * 1024
/** Of file contents, in a request or an answer. */
export const REMOTE_BODY_BYTES = 256 * 1024

/** The one call of a layer whose contents come when they are read: by position and length, have these bytes be in its tar. */
export const ENSURE = 'ensure'
/** So many at most. */
export const ENSURE_BYTES = 4 * 1024 * 1024

/** A call of `fs/file-system`, by its name, of the file system with this number. */
export interface RemoteRequest {
  readonly number: number
  readonly call: string
  readonly arguments: readonly unknown[]
}

/** What the call gave, or the name of its errno. */
export type RemoteAnswer = { readonly value: unknown } | { readonly errno: string }

/** The bytes of a request or an answer. */
export function remoteFrame(head: RemoteRequest | RemoteAnswer, body: Uint8Array = new Uint8Array()): Buffer {
  const text = Buffer.from(JSON.stringify(head))
  const frame = Buffer.allocUnsafe(REMOTE_FRAME_BYTES + text.length + body.length)
  frame.writeUInt32LE(text.length, 0)
  frame.writeUInt32LE(body.length, 4)
  frame.set(text, REMOTE_FRAME_BYTES)
  frame.set(body, REMOTE_FRAME_BYTES + text.length)
  return frame
}
