import type { Context } from './context.js'

const PIECE_BYTES = 65_536

/** `random_get`. */
export function randomFunctions({ memory, host }: Context) {
  return {
    random_get(pointer: number, length: number): void {
      const bytes = memory().bytes(pointer, length)
      if (!memory().isShared) {
        host.random(bytes)
        return
      }
      // No generator fills what other threads see meanwhile.
      const piece = new Uint8Array(Math.min(bytes.length, PIECE_BYTES))
      for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
        host.random(piece)
        bytes.set(piece.subarray(0, bytes.length - at), at)
      }
    },
  }
}
