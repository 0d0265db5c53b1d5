import { rmdirSync, rmSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { perform } from '../launcher/client.js'
import type { IdMap } from '../launcher/id-map.js'
import { idMapOperations } from '../launcher/id-map.js'

/**
 * Removes directories with all that is in them, in a user namespace: files of subordinate owners, and directories that their own owner may
 * not enter, can't be removed otherwise. Ones that do not exist are no error; for none no process is started.
 */
export async function removeTrees(idMap: IdMap, paths: readonly string[]): Promise<void> {
  const left = paths.filter((path) => !removedAsEmpty(path))
  if (left.length === 0) return
  await perform({
    operations: [...idMapOperations(idMap), ['namespace', 'mount'], ...left.map((path) => ['tree-remove', path] as const)],
    exec: null,
  })
}

/** Removes the folder of one layer's tree (`trees/<id map>/<layer>`): first its marker, so that a tree half gone is never taken for whole. */
export async function removeLayerTree(idMap: IdMap, folder: string): Promise<void> {
  rmSync(join(folder, 'complete'), { force: true })
  await removeTrees(idMap, [folder])
}

/** Most directories to be removed are empty or gone already: that takes no process. */
function removedAsEmpty(path: string): boolean {
  try {
    rmdirSync(path)
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ENOTDIR') return code === 'ENOENT'
    unlinkSync(path)
    return true
  }
}
