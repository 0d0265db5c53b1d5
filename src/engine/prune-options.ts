import type { ContainerState } from '../container/state.js'
import type { PruneOptions } from '../store/prune.js'

/** What is needed to remove layers without taking any from a container. */
export function pruneOptions(containers: ContainerState): Required<Omit<PruneOptions, 'signal'>> {
  return {
    removeTree: async (path) => {
      const [{ removeLayerTree }, { chooseIdMap }] = await Promise.all([
        import('../rootfs/remove-tree.js'),
        import('../launcher/id-map.js'),
      ])
      await removeLayerTree(chooseIdMap().map, path)
    },
    holdContainers: (action) => containers.hold(action),
    usedLayers: async () => (await containers.list()).flatMap((record) => record.image.diffIds),
  }
}
