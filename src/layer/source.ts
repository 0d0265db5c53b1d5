/** Bytes that can be read at any position: an uncompressed tar on disk, an inherited descriptor, an array in memory. */
export interface ByteSource {
  /** Bytes in all. */
  readonly size: number
  /** Fills `buffer` from byte `position`; returns the bytes read, less than asked for only at the end. */
  read(buffer: Uint8Array, position: number): number
  /** Gives the bytes back. Idempotent. */
  close(): void
}

/** A source over bytes in memory. */
export function bytesSource(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.length,
    read(buffer, position) {
      const part = bytes.subarray(position, position + buffer.length)
      buffer.set(part)
      return part.length
    },
    close() {},
  }
}
