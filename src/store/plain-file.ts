/**
 * Files of the store are opened as what they must be. The folder is the user's own, but what lies in it may have come from elsewhere (a copied
 * home, another tool, a program that was let in by mistake): no link is followed, and no FIFO or device holds anybody up.
 */
import { closeSync, constants, fstatSync, lstatSync, openSync, readSync, type Stats } from 'node:fs'
import { EngineError } from '../errors.js'

/** A file that is open; the caller closes it. */
export interface PlainFile {
  readonly descriptor: number
  readonly stat: Stats
}

/** Opens a regular file for reading. Throws INVALID_IMAGE for anything else, and what Node throws for one that is not there. */
export function openPlainFile(path: string): PlainFile {
  const descriptor = openAtOnce(path)
  try {
    const stat = fstatSync(descriptor)
    if (!stat.isFile()) throw notPlain(path, stat)
    return { descriptor, stat }
  } catch (error) {
    closeSync(descriptor)
    throw error
  }
}

/** Reads a regular file whole. Throws INVALID_IMAGE for anything else and for more than `maximumBytes`. */
export function readPlainFile(path: string, maximumBytes: number): Buffer {
  const { descriptor, stat } = openPlainFile(path)
  try {
    if (stat.size > maximumBytes)
      throw new EngineError('INVALID_IMAGE', `${path} has ${stat.size} bytes; at most ${maximumBytes} are read`, { data: { path } })
    const bytes = Buffer.allocUnsafe(stat.size)
    let filled = 0
    for (let count = 1; count > 0 && filled < bytes.length; filled += count)
      count = readSync(descriptor, bytes, filled, bytes.length - filled, filled)
    return bytes.subarray(0, filled)
  } finally {
    closeSync(descriptor)
  }
}

function openAtOnce(path: string): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    // What cannot be opened like this is a symlink or a socket, if it is there at all.
    const stat = ['ELOOP', 'ENXIO'].includes((error as NodeJS.ErrnoException).code ?? '') ? lstatSync(path) : null
    throw stat === null || stat.isFile() ? error : notPlain(path, stat)
  }
}

function notPlain(path: string, stat: Stats): EngineError {
  return new EngineError('INVALID_IMAGE', `${path} is a ${kindOf(stat)}, where a file must be`, {
    hint: '`wolffia system check` says what is damaged, and with --repair mends what can be mended.',
    data: { path, kind: kindOf(stat) },
  })
}

/** What something on disk is, in a word. */
export function kindOf(stat: Stats): 'file' | 'folder' | 'symlink' | 'FIFO' | 'socket' | 'device' {
  if (stat.isFile()) return 'file'
  if (stat.isDirectory()) return 'folder'
  if (stat.isSymbolicLink()) return 'symlink'
  if (stat.isFIFO()) return 'FIFO'
  return stat.isSocket() ? 'socket' : 'device'
}
