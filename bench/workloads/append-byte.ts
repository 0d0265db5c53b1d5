import { UnionFs } from '../../src/fs/union-fs.js'
import { hugeFileLayer } from '../lowers.js'
import type { Workload } from '../workload.js'

const FILE_BYTES = 2 ** 30
const ONE_BYTE = new Uint8Array(1)

/** A byte at the end of a lower file of 1 GiB, of which the kernel's overlay would copy all. Fresh union each time. */
export const appendByte: Workload = {
  name: 'append-byte',
  summary: 'one byte appended to a lower file of 1 GiB',
  unit: 'ms',
  rounds: 50,
  quickRounds: 5,
  async open(workbench) {
    const layer = await hugeFileLayer(workbench, 'append-byte', FILE_BYTES)
    const sample = async () => {
      const union = new UnionFs({ lowers: [layer] })
      const ino = union.lookup(union.root, 'huge') ?? 0
      const start = performance.now()
      union.write(ino, ONE_BYTE, FILE_BYTES)
      return performance.now() - start
    }
    return [{ name: 'union', sample }]
  },
}
