import { rmdirSync, rmSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { EngineError } from '../errors.js'
import { perform } from '../launcher/client.js'
import { holderMemory } from '../launcher/holder.js'
import type { IdMap, LivingHolder } from '../launcher/id-map.js'
import { idMapOperations, livingHolder } from '../launcher/id-map.js'
import { COMPLETE, IN_MEMORY, readMemoryMarker } from './tree-marker.js'

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

/**
 * Removes the folder of one layer's tree (`trees/<id map>/<layer>`), and what of it is in a holder's memory: first its markers, so that a tree
 * half gone is never taken for whole.
 */
export async function removeLayerTree(idMap: IdMap, folder: string): Promise<void> {
  const holder = livingHolder(idMap)
  const held = readMemoryMarker(folder, holder)
  for (const marker of [COMPLETE, IN_MEMORY]) rmSync(join(folder, marker), { force: true })
  if (holder !== null && held !== null) await removeFromMemory(idMap, holder, [held.tree])
  await removeTrees(idMap, [folder])
}

/** Removes trees from a holder's memory, by their names; one that has ended has none. */
export async function removeFromMemory(idMap: IdMap, holder: LivingHolder, trees: readonly string[]): Promise<void> {
  if (trees.length === 0) return
  const memory = holderMemory(holder)
  try {
    await perform({
      operations: [
        ...idMapOperations(idMap, holder),
        ['namespace', 'mount'],
        ['holder-memory', memory],
        ...trees.map((tree) => ['tree-remove', join(memory, tree)] as const),
      ],
      exec: null,
    })
  } catch (error) {
    if (!(error instanceof EngineError) || error.data.operation !== 'holder-memory') throw error
  }
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
