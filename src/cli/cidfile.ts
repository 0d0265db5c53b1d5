import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { EngineError, messageOf } from '../errors.js'
import type { CliOptions } from './command.js'

/** Writes a container's id to the file of `--cidfile`, which is made now and must not have been there; null without the flag. */
export function idWriter({ cidfile }: CliOptions): ((id: string) => void) | null {
  if (cidfile === undefined) return null
  const path = String(cidfile)
  let file: number
  try {
    file = openSync(path, 'wx', 0o644)
  } catch (cause) {
    const isThere = (cause as NodeJS.ErrnoException).code === 'EEXIST'
    throw new EngineError(
      'INVALID_ARGUMENT',
      isThere
        ? `container ID file found, make sure the other container isn't running or delete ${path}`
        : `cannot make the container ID file ${path}: ${messageOf(cause)}`,
      { cause },
    )
  }
  let isWritten = false
  // Of a container that came to nothing nothing is told.
  process.on('exit', () => {
    if (!isWritten) rmSync(path, { force: true })
  })
  return (id) => {
    writeSync(file, id)
    closeSync(file)
    isWritten = true
  }
}
