/** The guest's thread: builds its files, waits for the word, runs it to its end. Nothing else in the process executes guest code. */
import { parentPort, workerData } from 'node:worker_threads'
import { EngineError, messageOf } from '../../errors.js'
import { fromUtf8 } from '../../fs/names.js'
import { WASM_PAGE_BYTES } from '../module.js'
import { DescriptorTable } from '../preview1/descriptor-table.js'
import { GuestExit } from '../preview1/host.js'
import { PREVIEW1 } from '../preview1/names.js'
import { preopenedDirectory } from '../preview1/path-open.js'
import { createPreview1 } from '../preview1/preview1.js'
import { StreamDescriptor } from '../preview1/stream-descriptor.js'
import { type GuestFiles, type OpenRemote, openGuestFiles } from './guest-files.js'
import { guestHost } from './guest-host.js'
import type { GoMessage, Outcome, WorkerMessage, WorkerStart } from './messages.js'
import { descriptorOutput, pause, writeAll } from './output.js'
import { UPPER_DESCRIPTOR } from './protocol.js'
import { RemoteChannel, RemoteFileSystem } from './remote-file-system.js'
import { StdinReader } from './stdin-ring.js'
import { writeUpper } from './upper.js'

const { start, stdin } = workerData as WorkerStart

function openRemote(): OpenRemote {
  const channel = start.remoteDescriptor === null ? null : new RemoteChannel(start.remoteDescriptor)
  return (number) => {
    if (channel === null) throw new EngineError('INTERNAL', 'there is no socket for remote file systems')
    return new RemoteFileSystem(channel, number)
  }
}

function tell(message: WorkerMessage): void {
  parentPort?.postMessage(message)
}

try {
  const files = openGuestFiles(start, openRemote())
  parentPort?.once('message', ({ module }: GoMessage) => {
    const outcome = runGuest(module, files)
    tell({ type: 'ended', outcome, lost: start.keepsUpper ? keepFiles(files) : null })
  })
  tell({ type: 'ready' })
} catch (error) {
  const known = error instanceof EngineError ? error : new EngineError('SANDBOX_FAILED', messageOf(error))
  tell({ type: 'failed', error: { code: known.code, message: known.message, hint: known.hint, data: known.data } })
}

/** Why the guest's files could not be kept, said on stderr too; null when they were. Its exit code is told in either case. */
function keepFiles({ root }: GuestFiles): string | null {
  try {
    writeUpper(root, UPPER_DESCRIPTOR, start.limits.upperBytes)
    return null
  } catch (error) {
    const lost = `the files it has written are lost: ${messageOf(error)}`
    complain(lost)
    return lost
  }
}

function complain(text: string): void {
  try {
    writeAll(2, Buffer.from(`wolffia: ${text}\n`))
  } catch {
    // Nobody reads stderr any more; the exit status still says it.
  }
}

function runGuest(module: WebAssembly.Module, { tree, preopens }: GuestFiles): Outcome {
  const table = new DescriptorTable(start.limits.openFiles)
  const allowance = {
    bytesLeft: start.limits.outputBytes,
    exceeded(): never {
      tell({ type: 'output-exceeded' })
      for (;;) pause(1000)
    },
  }
  const { terminal } = start
  table.add(new StreamDescriptor({ terminal, input: new StdinReader(stdin, () => tell({ type: 'stdin-room' })) }))
  table.add(new StreamDescriptor({ terminal, output: descriptorOutput(1, allowance) }))
  table.add(new StreamDescriptor({ terminal, output: descriptorOutput(2, allowance) }))
  for (const { name, handle } of preopens) table.add(preopenedDirectory(tree, handle, fromUtf8(name)))
  const preview1 = createPreview1({ host: guestHost(start), table, tree })
  let exports: WebAssembly.Instance['exports'] = {}
  try {
    exports = new WebAssembly.Instance(module, { [PREVIEW1]: preview1.functions }).exports
    if (exports.memory instanceof WebAssembly.Memory) preview1.attach(exports.memory)
    ;(exports._start as () => void)()
    return { kind: 'exit', exitCode: preview1.exit?.exitCode ?? 0, signal: preview1.exit?.signal ?? null }
  } catch (error) {
    if (error instanceof GuestExit) return { kind: 'exit', exitCode: error.exitCode, signal: error.signal }
    return trapped(error, exports)
  }
}

/** A trap, an exception nobody caught, or a stack that is used up: said on stderr, as wasmtime does. */
function trapped(error: unknown, exports: WebAssembly.Instance['exports']): Outcome {
  const message = error instanceof RangeError && /call stack/.test(error.message) ? 'call stack exhausted' : messageOf(error)
  complain(`wasm trap: ${message}`)
  const { memory } = exports
  const tables = Object.values(exports).filter((each): each is WebAssembly.Table => each instanceof WebAssembly.Table)
  return {
    kind: 'trap',
    message,
    memoryPages: memory instanceof WebAssembly.Memory ? memory.buffer.byteLength / WASM_PAGE_BYTES : 0,
    tableElements: tables.reduce((sum, table) => sum + table.length, 0),
  }
}
