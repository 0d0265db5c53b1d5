import { readdirSync, rmdirSync, rmSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Removes a folder with all that is in it; one that is not there is no error. Nearly always it holds a few files and no folders, and then
 * Node's own recursive removal, which a process has to load first, costs several times what is done here.
 */
export function removeFolder(path: string): void {
  try {
    for (const name of readdirSync(path)) unlinkSync(join(path, name))
    rmdirSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') rmSync(path, { recursive: true, force: true })
  }
}
