import { Volume } from 'memfs'
import { UnionFs } from '../../src/fs/union-fs.js'
import { manyFiles, packedLayer } from '../lowers.js'
import type { Subject } from '../measure.js'
import type { Workbench } from '../workbench.js'
import type { Workload } from '../workload.js'

const FILES = 2000
const PASSES = 20

/** Looking names up in a tree of the same files, which lie in 1, 10 or 100 layers; every directory has been read once. */
export const unionLookup: Workload = {
  name: 'union-lookup',
  summary: `a name in a merged tree of ${FILES} files`,
  unit: 'ns',
  axis: 'layers',
  rounds: 60,
  quickRounds: 6,
  open: async (workbench) => [...(await Promise.all([1, 10, 100].map((layers) => subject(workbench, layers)))), memfs()],
}

async function subject(workbench: Workbench, layers: number): Promise<Subject> {
  const files = manyFiles(FILES)
  // Dealt out like cards, so that every directory has entries of every layer.
  const lowers = await Promise.all(
    Array.from({ length: layers }, (_, layer) =>
      packedLayer(
        workbench,
        `lookup-${layers}-${layer}`,
        files.filter((_file, number) => number % layers === layer),
      ),
    ),
  )
  const union = new UnionFs({ lowers })
  const paths = files.map(({ path }) => path.split('/'))
  const walk = () => {
    for (const names of paths) {
      let ino = union.root
      for (const name of names) ino = union.lookup(ino, name) ?? 0
      if (ino === 0) throw new Error(`${names.join('/')} is not there`)
    }
  }
  walk()
  const sample = async () => {
    const start = performance.now()
    for (let pass = 0; pass < PASSES; pass++) walk()
    return ((performance.now() - start) * 1e6) / (PASSES * FILES)
  }
  return { name: `union@${layers}`, sample }
}

function memfs(): Subject {
  const paths = manyFiles(FILES).map(({ path }) => `/${path}`)
  const volume = Volume.fromJSON(Object.fromEntries(paths.map((path) => [path, ''])))
  const sample = async () => {
    const start = performance.now()
    for (let pass = 0; pass < PASSES; pass++)
      for (const path of paths) if (!volume.existsSync(path)) throw new Error(`${path} is not there`)
    return ((performance.now() - start) * 1e6) / (PASSES * FILES)
  }
  return { name: 'memfs', sample }
}
