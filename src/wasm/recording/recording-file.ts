import { closeSync, openSync, readSync, writeFileSync } from 'node:fs'
import { EngineError, messageOf } from '../../errors.js'
import type { ContainerSpec, RecordingSpec } from '../../runtime/spec.js'
import { decodeHeader, encodeHeader, HEADER_BYTES, type RecordingHeader } from './format.js'

/** What of a recording's first bytes is read for its header at once. */
const PIECE_BYTES = 65_536

/** The header of a recording. Throws INVALID_ARCHIVE, and FILE_NOT_FOUND where it cannot be opened. */
export function readRecordingHeader(path: string): RecordingHeader {
  let descriptor: number
  try {
    descriptor = openSync(path, 'r')
  } catch (cause) {
    throw new EngineError('FILE_NOT_FOUND', `cannot open the recording ${path}: ${messageOf(cause)}`, { cause, data: { path } })
  }
  try {
    return decodeHeader(firstLine(descriptor)).header
  } finally {
    closeSync(descriptor)
  }
}

/** Reads no further than the first line, within what a header may have. */
function firstLine(descriptor: number): Buffer {
  let read = Buffer.alloc(0)
  while (read.length < HEADER_BYTES && !read.includes(10)) {
    const piece = Buffer.alloc(PIECE_BYTES)
    const count = readSync(descriptor, piece, 0, piece.length, null)
    if (count === 0) break
    read = Buffer.concat([read, piece.subarray(0, count)])
  }
  return read
}

/**
 * Begins a recording, or holds the one that is to be played against what is about to run. Throws INVALID_ARGUMENT where the file cannot be
 * made, DIGEST_MISMATCH for another image or module than was recorded, INVALID_ARGUMENT for another command.
 */
export function prepareRecording(spec: ContainerSpec, recording: RecordingSpec, moduleDigest: string): void {
  const header = headerOf(spec, recording, moduleDigest)
  if (recording.mode === 'replay') {
    assertSame(readRecordingHeader(recording.path), header)
    return
  }
  try {
    writeFileSync(recording.path, encodeHeader(header), { mode: 0o600 })
  } catch (cause) {
    throw new EngineError('INVALID_ARGUMENT', `cannot write the recording to ${recording.path}: ${messageOf(cause)}`, {
      cause,
      data: { path: recording.path },
    })
  }
}

function headerOf({ process, limits, deterministic }: ContainerSpec, { image }: RecordingSpec, module: string): RecordingHeader {
  const { args, env, cwd, user } = process
  const { memoryBytes = null, tableElements = null, fuel = null } = limits
  return {
    image,
    module,
    args,
    env,
    cwd,
    user: { uid: user.uid, gid: user.gid },
    limits: { memoryBytes, tableElements, fuel },
    deterministic: deterministic?.seed ?? null,
  }
}

function assertSame(recorded: RecordingHeader, now: RecordingHeader): void {
  for (const name of ['image', 'module'] as const)
    if (recorded[name] !== now[name])
      throw new EngineError('DIGEST_MISMATCH', `the recording is of the ${name} ${recorded[name]}, and this is ${now[name]}`, {
        data: { recorded: recorded[name], found: now[name] },
      })
  for (const name of ['args', 'env', 'cwd', 'user', 'limits', 'deterministic'] as const)
    if (JSON.stringify(recorded[name]) !== JSON.stringify(now[name]))
      throw new EngineError('INVALID_ARGUMENT', `the recording is of another run: its ${name} differ`, {
        hint: 'Use wolffia replay FILE, which takes them from the recording.',
        data: { recorded: recorded[name], found: now[name] },
      })
}
