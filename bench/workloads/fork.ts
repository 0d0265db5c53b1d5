import { Volume } from 'memfs'
import { UnionFs } from '../../src/fs/union-fs.js'
import type { Subject } from '../measure.js'
import type { Workload } from '../workload.js'

const FILES_A_DIRECTORY = 1000
const ATTRIBUTES = { mode: 0o644, uid: 0, gid: 0 }

/** A fork of a tree with all its files in memory; its first change and its end are not in the figure. memfs has no fork, so it is copied. */
export const fork: Workload = {
  name: 'fork',
  summary: 'fork() of a tree of a thousand and of a million files',
  unit: 'ms',
  axis: 'files',
  rounds: 100,
  quickRounds: 5,
  open: () => Promise.resolve([subject(1000), subject(1_000_000), memfs(1000), memfs(10_000)]),
}

function subject(files: number): Subject {
  const union = new UnionFs({ lowers: [] })
  const directories = Array.from({ length: files / FILES_A_DIRECTORY }, (_, number) =>
    union.create(union.root, `directory-${number}`, { type: 'directory', ...ATTRIBUTES, mode: 0o755 }),
  )
  for (const directory of directories)
    for (let number = 0; number < FILES_A_DIRECTORY; number++) union.create(directory, `file-${number}`, { type: 'file', ...ATTRIBUTES })
  const sample = async () => {
    const start = performance.now()
    const forked = union.fork()
    const took = performance.now() - start
    // What a program does with it: the next fork then finds both sides changed.
    forked.create(forked.root, 'there', { type: 'file', ...ATTRIBUTES })
    forked.close()
    return took
  }
  return { name: `fork@${files}`, sample }
}

function memfs(files: number): Subject {
  const volume = Volume.fromJSON(Object.fromEntries(Array.from({ length: files }, (_, number) => [`/file-${number}`, ''])))
  const sample = async () => {
    const start = performance.now()
    const copied = Volume.fromJSON(volume.toJSON())
    const took = performance.now() - start
    if (!copied.existsSync('/file-0')) throw new Error('the copy is empty')
    return took
  }
  return { name: `memfs@${files}`, sample }
}
