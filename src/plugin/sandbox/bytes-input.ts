import type { InputStream } from '../../wasm/preview1/host.js'

/** A stdin of these bytes. */
export function bytesInput(bytes: Uint8Array): InputStream {
  let at = 0
  return {
    available: () => ({ bytes: bytes.length - at, ended: at === bytes.length }),
    read(buffer) {
      const piece = bytes.subarray(at, at + buffer.length)
      buffer.set(piece)
      at += piece.length
      return piece.length
    },
  }
}
