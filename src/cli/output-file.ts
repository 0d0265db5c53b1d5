import { accessSync, constants, createWriteStream, renameSync, rmSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { EngineError } from '../errors.js'

/** Writes a stream to the file that `-o` names, whole or not at all; to a pipe or a device as it comes. */
export async function writeOutputFile(path: string, stream: Readable): Promise<void> {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found !== undefined && !found.isFile() && !found.isDirectory()) return whole(stream, () => pipeline(stream, createWriteStream(path)))
  const temporary = `${path}.${process.pid}.new`
  try {
    assertOutputPath(path)
    await whole(stream, () => pipeline(stream, createWriteStream(temporary, { flags: 'wx', mode: 0o600 })))
    renameSync(temporary, path)
  } catch (error) {
    stream.destroy()
    rmSync(temporary, { force: true })
    throw refusalOf(error, path)
  }
}

/** A place that may not be written, as what the user named and not as our name beside it. */
function refusalOf(error: unknown, path: string): unknown {
  const { code } = error as NodeJS.ErrnoException
  if (code !== 'EACCES' && code !== 'EROFS' && code !== 'EPERM') return error
  return new EngineError('INVALID_ARGUMENT', `cannot write ${path}: ${code === 'EROFS' ? 'read-only file system' : 'permission denied'}`, {
    cause: error,
    hint: 'Name a file in a folder that you may write.',
    data: { path },
  })
}

/** Writes a stream to stdout. A reader that goes away is no error. */
export async function writeToStdout(stream: Readable): Promise<void> {
  try {
    await whole(stream, () => pipeline(stream, process.stdout, { end: false }))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw error
  }
}

/** Waits until what stands behind a stream has cleaned up, too: this process may end soon. */
async function whole(stream: Readable, write: () => Promise<void>): Promise<void> {
  try {
    await write()
  } finally {
    stream.destroy()
    if (!stream.closed) await new Promise((resolve) => stream.once('close', resolve))
  }
}

/** As {@link assertOutputPath}, of a file that is written where it stands. Throws likewise. */
export function assertWritablePath(path: string): void {
  assertOutputPath(path)
  const isThere = statSync(path, { throwIfNoEntry: false }) !== undefined
  try {
    accessSync(isThere ? path : dirname(path), constants.W_OK)
  } catch (error) {
    throw refusalOf(error, path)
  }
}

/** Throws INVALID_ARGUMENT where no file can be written, before anything is begun. */
export function assertOutputPath(path: string): void {
  const folder = dirname(path)
  if (statSync(folder, { throwIfNoEntry: false }) === undefined)
    throw new EngineError('INVALID_ARGUMENT', `invalid output path: directory "${folder}" does not exist`, { data: { path } })
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true)
    throw new EngineError('INVALID_ARGUMENT', `invalid output path: "${path}" is a directory`, { data: { path } })
}
