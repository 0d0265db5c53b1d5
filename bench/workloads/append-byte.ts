import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { messageOf } from '../../src/errors.js'
import { UnionFs } from '../../src/fs/union-fs.js'
import { compileGuest } from '../compile-guest.js'
import { hasProgram } from '../has-program.js'
import { hugeFileLayer } from '../lowers.js'
import type { Subject } from '../measure.js'
import { require, Unavailable } from '../unavailable.js'
import type { Workbench } from '../workbench.js'
import { orMissing, type Workload } from '../workload.js'

const UNION_MIB = [1, 32, 1024]
/** The overlay's lower file is in memory, so it is no larger. */
const OVERLAY_MIB = [1, 32, 256]
const ONE_BYTE = new Uint8Array(1)

/** A byte at the end of a file of a lower layer, of which the kernel's overlay copies all. Fresh union, fresh overlay each time. */
export const appendByte: Workload = {
  name: 'append-byte',
  summary: 'one byte appended to a lower file of 1, 32 and 1024 MiB; the overlay’s largest is 256',
  unit: 'ms',
  axis: 'MiB of the file',
  rounds: 50,
  quickRounds: 5,
  async open(workbench) {
    return [
      ...(await Promise.all(UNION_MIB.map((mebibytes) => inUnion(workbench, mebibytes)))),
      ...(await Promise.all(OVERLAY_MIB.map((mebibytes) => orMissing(`overlay@${mebibytes}`, () => inOverlay(workbench, mebibytes))))),
    ]
  },
}

async function inUnion(workbench: Workbench, mebibytes: number): Promise<Subject> {
  const bytes = mebibytes * 2 ** 20
  const layer = await hugeFileLayer(workbench, `append-byte-${mebibytes}`, bytes)
  const sample = async () => {
    const union = new UnionFs({ lowers: [layer] })
    const ino = union.lookup(union.root, 'huge') ?? 0
    const start = performance.now()
    union.write(ino, ONE_BYTE, bytes)
    return performance.now() - start
  }
  return { name: `union@${mebibytes}`, sample }
}

/** On a tmpfs in namespaces of its own, which take all with them. */
async function inOverlay(workbench: Workbench, mebibytes: number): Promise<Subject> {
  require(hasProgram('unshare') && hasProgram('mount'), 'unshare and mount are needed (Debian: util-linux, mount)')
  const { nativePath } = await compileGuest(workbench, 'append')
  const script = `set -e
    mount -t tmpfs tmpfs "$1" && cd "$1" && mkdir lower upper work merged
    head -c ${mebibytes}M /dev/zero >lower/huge
    mount -t overlay -o userxattr,lowerdir=lower,upperdir=upper,workdir=work overlay merged
    exec "$0" merged/huge`
  const place = await workbench.directoryOf(`overlay-${mebibytes}`)
  const sample = async () => {
    const words = ['--user', '--map-root-user', '--mount', 'sh', '-c', script, nativePath, place]
    const { stdout } = await promisify(execFile)('unshare', words).catch((error) => {
      throw new Unavailable(messageOf(error))
    })
    return Number(stdout) / 1e6
  }
  await sample()
  return { name: `overlay@${mebibytes}`, sample }
}
