import { writeSync } from 'node:fs'
import { ErrnoError } from '../../fs/errno.js'
import type { OutputStream } from '../preview1/host.js'

/** Bytes that all outputs together may still write. */
export interface OutputAllowance {
  /** Null is without end. */
  bytesLeft: number | null
  /** Called when a write would go beyond it, after what is left has been written. Does not return. */
  exceeded(): never
}

const LONGEST_PAUSE_MS = 16

/** A descriptor of this process as a guest's stdout or stderr: written at once and whole, whoever made it non-blocking. */
export function descriptorOutput(descriptor: number, allowance: OutputAllowance): OutputStream {
  return {
    write(buffer) {
      const { bytesLeft } = allowance
      if (bytesLeft === null || buffer.length <= bytesLeft) {
        writeAll(descriptor, buffer)
        if (bytesLeft !== null) allowance.bytesLeft = bytesLeft - buffer.length
        return
      }
      writeAll(descriptor, buffer.subarray(0, bytesLeft))
      allowance.exceeded()
    },
  }
}

/** Writes all of `buffer`, waiting while the reader is slow. Throws ErrnoError EPIPE when there is none any more, EIO otherwise. */
export function writeAll(descriptor: number, buffer: Uint8Array): void {
  let pauseMs = 1
  for (let written = 0; written < buffer.length; ) {
    try {
      written += writeSync(descriptor, buffer, written, buffer.length - written)
      pauseMs = 1
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'EPIPE' || code === 'ECONNRESET') throw new ErrnoError('EPIPE')
      if (code !== 'EAGAIN') throw new ErrnoError('EIO', code)
      // A pipe that someone else made non-blocking is full; there is no poll(2) in Node, so this looks again, less and less often.
      pause(pauseMs)
      pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)
    }
  }
}

/** Blocks this thread. */
export function pause(milliseconds: number): void {
  Atomics.wait(NEVER, 0, 0, milliseconds)
}

const NEVER = new Int32Array(new SharedArrayBuffer(4))
