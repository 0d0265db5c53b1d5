import type { ContainerState } from '../container/state.js'
import type { PruneOptions } from '../store/prune.js'
import { storeIdMap } from './store-id-map.js'

/** What is needed to remove layers without taking any from a container. */
export function pruneOptions(home: string, containers: ContainerState): Required<Omit<PruneOptions, 'signal' | 'released'>> {
  return {
    removeTree: async (path) => {
      const [{ removeLayerTree }, { map }] = await Promise.all([import('../rootfs/remove-tree.js'), storeIdMap(home)])
      await removeLayerTree(map, path)
    },
    holdContainers: (action) => containers.hold(action),
    usedLayers: async () => (await containers.list()).flatMap((record) => record.image.diffIds),
  }
}
