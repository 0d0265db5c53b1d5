/**
 * `in-process MODULE FOLDER WORD…`: our own preview1 in this very process and thread, the folder of the host as the guest's /data. No sandbox,
 * no limits but that of open files: what the Wasm wall's engine is without the wall.
 */
import { readFileSync, readSync, realpathSync } from 'node:fs'
import { messageOf } from '../src/errors.js'
import { fromUtf8 } from '../src/fs/names.js'
import { UnionFs } from '../src/fs/union-fs.js'
import { DescriptorTable } from '../src/wasm/preview1/descriptor-table.js'
import { GuestTree } from '../src/wasm/preview1/guest-tree.js'
import { GuestExit, type InputStream } from '../src/wasm/preview1/host.js'
import { PREVIEW1 } from '../src/wasm/preview1/names.js'
import { preopenedDirectory } from '../src/wasm/preview1/path-open.js'
import { createPreview1 } from '../src/wasm/preview1/preview1.js'
import { StreamDescriptor } from '../src/wasm/preview1/stream-descriptor.js'
import { guestHost } from '../src/wasm/sandbox/guest-host.js'
import { HostDirectory } from '../src/wasm/sandbox/host-directory.js'
import { descriptorOutput } from '../src/wasm/sandbox/output.js'
import { BOUNDS } from './wasm-attacks/attack.js'

/** As a process that an abort has ended. */
const TRAPPED = 134
const DATA = 'data'

/** Standard input, read by a call that blocks, as everything here does. */
const STDIN: InputStream = {
  available: () => ({ bytes: 1, ended: false }),
  read: (buffer) => readSync(0, buffer),
}

/** The guest's files: a root in memory, and the folder as /data. */
function openTable(folder: string): { readonly tree: GuestTree; readonly table: DescriptorTable } {
  const root = new UnionFs({ lowers: [] })
  const tree = new GuestTree(root, { credentials: { uid: 0, gid: 0, additionalGids: [] }, readonly: false })
  const ino = root.create(root.root, DATA, { type: 'directory', mode: 0o755, uid: 0, gid: 0 })
  const data = tree.mount({ fs: root, ino, parent: tree.root }, new HostDirectory(realpathSync(folder)), { readonly: false })
  const table = new DescriptorTable(BOUNDS.openFiles)
  const unbounded = { bytesLeft: null, exceeded: () => process.exit(1) }
  table.add(new StreamDescriptor({ terminal: false, input: STDIN }))
  for (const output of [1, 2]) table.add(new StreamDescriptor({ terminal: false, output: descriptorOutput(output, unbounded) }))
  table.add(preopenedDirectory(tree, tree.root, fromUtf8('/')))
  table.add(preopenedDirectory(tree, data, fromUtf8(`/${DATA}`)))
  return { tree, table }
}

/** Runs the module to its end and gives its exit code. */
function run(module: string, folder: string, words: readonly string[]): number {
  const preview1 = createPreview1({ host: guestHost({ args: ['guest', ...words], env: [] }), ...openTable(folder) })
  try {
    const compiled = new WebAssembly.Module(readFileSync(module))
    const { exports } = new WebAssembly.Instance(compiled, { [PREVIEW1]: preview1.functions })
    if (exports.memory instanceof WebAssembly.Memory) preview1.attach(exports.memory)
    ;(exports._start as () => void)()
    return preview1.exit?.exitCode ?? 0
  } catch (error) {
    if (error instanceof GuestExit) return error.exitCode
    process.stderr.write(`in-process: ${messageOf(error)}\n`)
    return TRAPPED
  }
}

const [module = '', folder = '', ...words] = process.argv.slice(2)
process.exitCode = run(module, folder, words)
