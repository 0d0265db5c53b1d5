import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Text of a file of /proc/sys, trimmed; null when there is none. */
export function readSetting(path: string): string | null {
  try {
    return readFileSync(join('/proc/sys', path), 'utf8').trim()
  } catch {
    return null
  }
}
