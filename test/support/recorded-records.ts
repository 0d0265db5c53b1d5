/** The records of a recording as a player takes them, and what it writes. */
import type { OutputStream } from '../../src/wasm/preview1/host.js'

/** Gives so many bytes of the records, null where there are fewer. */
export function recordsReader(records: Buffer): (length: number) => Buffer | null {
  let at = 0
  return (length) => {
    if (at + length > records.length) return null
    at += length
    return records.subarray(at - length, at)
  }
}

/** stdout and stderr of a player, both of which add to `written`. */
export function outputsTo(written: Uint8Array[]): readonly OutputStream[] {
  const output = { write: (bytes: Uint8Array) => void written.push(Uint8Array.from(bytes)) }
  return [output, output]
}
