import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'

const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin']

/** Whether a program is on the PATH or in a system folder. */
export function hasProgram(name: string): boolean {
  return [...(process.env.PATH ?? '').split(':'), ...SYSTEM_FOLDERS].some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK)
      return folder !== ''
    } catch {
      return false
    }
  })
}
