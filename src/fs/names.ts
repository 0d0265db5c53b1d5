import type { ByteString } from './file-system.js'

const encoder = new TextEncoder()
// A byte order mark is part of a name.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** UTF-8 bytes of `text` as a byte string. */
export function fromUtf8(text: string): ByteString {
  if (isAscii(text)) return text
  return fromBytes(encoder.encode(text))
}

/** Text of a byte string read as UTF-8; bytes that are not UTF-8 become U+FFFD, so this is for people, not for look-ups. */
export function toUtf8(name: ByteString): string {
  if (isAscii(name)) return name
  return decoder.decode(toBytes(name))
}

/** Byte string of `bytes`. */
export function fromBytes(bytes: Uint8Array): ByteString {
  if (bytes.length <= PIECE_BYTES) return fromPiece(bytes)
  let text = ''
  for (let start = 0; start < bytes.length; start += PIECE_BYTES) text += fromPiece(bytes.subarray(start, start + PIECE_BYTES))
  return text
}

// In pieces: a megabyte of arguments would overflow the stack. `apply` takes a typed array ten times faster than a spread does.
const PIECE_BYTES = 8192

function fromPiece(bytes: Uint8Array): ByteString {
  return String.fromCharCode.apply(null, bytes as unknown as number[])
}

/** Bytes of a byte string. */
export function toBytes(name: ByteString): Uint8Array {
  const bytes = new Uint8Array(name.length)
  for (let index = 0; index < name.length; index++) bytes[index] = name.charCodeAt(index)
  return bytes
}

function isAscii(text: string): boolean {
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) > 127) return false
  return true
}
