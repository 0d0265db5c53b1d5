import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { UnionFs } from '../../src/fs/union-fs.js'
import { openFileSource } from '../../src/layer/file-source.js'
import { indexTar, parseIndex, serializeIndex } from '../../src/layer/index.js'
import { PackedLayer } from '../../src/layer/packed-layer.js'
import { manyFiles, packedLayer } from '../lowers.js'
import type { Workload } from '../workload.js'

/** Memory of an image of many files: opened, as a store's layer is, and with every directory read through the union. */
export const openedImage: Workload = {
  name: 'opened-image',
  summary: 'memory of an opened image, a file',
  unit: 'bytes',
  rounds: 10,
  quickRounds: 3,
  async open(workbench) {
    const files = workbench.quick ? 10_000 : 100_000
    const name = 'opened-image'
    ;(await packedLayer(workbench, name, manyFiles(files))).close()
    const path = `${workbench.directory}/layers/${name}.tar`
    const source = openFileSource(path)
    const index = serializeIndex(indexTar(source))
    source.close()
    const open = () => {
      const layer = new PackedLayer(parseIndex(index.slice()), openFileSource(path))
      return { layer, union: new UnionFs({ lowers: [layer] }) }
    }
    const sampleOf = (use: (union: UnionFs) => void) => async () => {
      const before = usedBytes()
      const { layer, union } = open()
      use(union)
      const bytes = usedBytes() - before
      // Named after the measurement, so that neither is collected before it.
      layer.close()
      return union.root > 0 ? bytes / files : 0
    }
    return [
      { name: 'opened', sample: sampleOf(() => {}) },
      { name: 'walked', sample: sampleOf((union) => walk(union, union.root)) },
    ]
  },
}

function walk(union: UnionFs, directory: number): void {
  for (const { ino, type } of union.readdir(directory)) if (type === 'directory') walk(union, ino)
}

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

function usedBytes(): number {
  collectGarbage()
  collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
