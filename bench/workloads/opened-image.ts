import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Volume } from 'memfs'
import { UnionFs } from '../../src/fs/union-fs.js'
import { openFileSource } from '../../src/layer/file-source.js'
import { parseIndex } from '../../src/layer/index.js'
import { PackedLayer } from '../../src/layer/packed-layer.js'
import { manyFiles, storedIndex } from '../lowers.js'
import type { Subject } from '../measure.js'
import type { Workbench } from '../workbench.js'
import type { Workload } from '../workload.js'

const SIZES = [1000, 10_000, 100_000]

/** Memory of an image of many files: opened, as a store's layer is, and with every directory read through the union; beside memfs. */
export const openedImage: Workload = {
  name: 'opened-image',
  summary: 'memory of an opened image, a file',
  unit: 'bytes',
  axis: 'files',
  rounds: 10,
  quickRounds: 3,
  async open(workbench) {
    const sizes = workbench.quick ? SIZES.slice(0, -1) : SIZES
    return (await Promise.all(sizes.map((files) => subjects(workbench, files)))).flat()
  },
}

async function subjects(workbench: Workbench, files: number): Promise<Subject[]> {
  const { index, path } = await storedIndex(workbench, files)
  const open = () => {
    const layer = new PackedLayer(parseIndex(index.slice()), openFileSource(path))
    return { layer, union: new UnionFs({ lowers: [layer] }) }
  }
  const sampleOf = (use: (union: UnionFs) => void) => async () => {
    const before = usedBytes()
    const { layer, union } = open()
    use(union)
    // Node's own figures leave shared memory out.
    const bytes = usedBytes() - before + union.memoryBytes
    // Named after the measurement, so that neither is collected before it.
    layer.close()
    return union.root > 0 ? bytes / files : 0
  }
  const tree = Object.fromEntries(manyFiles(files).map(({ path: name }) => [name, '']))
  const inMemfs = async () => {
    const before = usedBytes()
    const volume = Volume.fromJSON(tree, '/')
    const bytes = usedBytes() - before
    return volume.existsSync('/usr') ? bytes / files : 0
  }
  return [
    { name: `opened@${files}`, sample: sampleOf(() => {}) },
    { name: `walked@${files}`, sample: sampleOf((union) => walk(union, union.root)) },
    { name: `memfs@${files}`, sample: inMemfs },
  ]
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
