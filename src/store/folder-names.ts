import { readdirSync } from 'node:fs'

/** Names in a folder of the store; none of one that is not there or not to be entered, which `check-folders.ts` tells of. */
export function folderNames(path: string): readonly string[] {
  try {
    return readdirSync(path)
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) return []
    throw error
  }
}
