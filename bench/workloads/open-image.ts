import { readFileSync } from 'node:fs'
import { UnionFs } from '../../src/fs/union-fs.js'
import { openFileSource } from '../../src/layer/file-source.js'
import { parseIndex } from '../../src/layer/index.js'
import { PackedLayer } from '../../src/layer/packed-layer.js'
import { storedIndex } from '../lowers.js'
import type { Subject } from '../measure.js'
import type { Workbench } from '../workbench.js'
import type { Workload } from '../workload.js'

const SIZES = [100, 1000, 10_000, 100_000, 1_000_000]
/** Those that are made quickly. */
const QUICK_SIZES = SIZES.slice(0, -1)

/** From an index on disk to a tree that answers, the index checked in full. */
export const openImage: Workload = {
  name: 'open-image',
  summary: 'opening an image of 100 to 1,000,000 files whose index is kept',
  unit: 'ms',
  axis: 'files',
  rounds: 20,
  quickRounds: 5,
  async open(workbench) {
    const subjects: Subject[] = []
    for (const files of workbench.quick ? QUICK_SIZES : SIZES) subjects.push(await subject(workbench, files))
    return subjects
  },
}

async function subject(workbench: Workbench, files: number): Promise<Subject> {
  const { index, path } = await storedIndex(workbench, files)
  const indexPath = await workbench.file(`layers/many-${files}.index`, index)
  const sample = async () => {
    const start = performance.now()
    const layer = new PackedLayer(parseIndex(readFileSync(indexPath)), openFileSource(path))
    const union = new UnionFs({ lowers: [layer] })
    const usr = union.lookup(union.root, 'usr') ?? 0
    const took = performance.now() - start
    layer.close()
    if (usr === 0) throw new Error('/usr is not there')
    return took
  }
  return { name: `image@${files}`, sample }
}
