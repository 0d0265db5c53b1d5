/**
 * A thread for a guest: opens its files, waits for the word, runs it to its end. Nothing else in the process executes guest code. Or one that
 * does something with the files for somebody outside, and runs nothing.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { messageOf } from '../../errors.js'
import { fromUtf8 } from '../../fs/names.js'
import { WASM_PAGE_BYTES } from '../module.js'
import { DescriptorTable } from '../preview1/descriptor-table.js'
import { GuestExit, type OutputStream } from '../preview1/host.js'
import { PREVIEW1 } from '../preview1/names.js'
import { preopenedDirectory } from '../preview1/path-open.js'
import { createPreview1 } from '../preview1/preview1.js'
import { StreamDescriptor } from '../preview1/stream-descriptor.js'
import { answerFileRequest } from './file-requests.js'
import { findModule } from './find-module.js'
import { FuelTank } from './fuel-tank.js'
import { type GuestFiles, openFiles, openFilesFromOutside, type SharedFiles } from './guest-files.js'
import { guestHost } from './guest-host.js'
import { type GuestRecording, openRecording } from './guest-recording.js'
import {
  type FilesMessage,
  failureOf,
  type GoMessage,
  type Outcome,
  type WorkerMessage,
  type WorkerStart,
  type WorkerTask,
} from './messages.js'
import { descriptorOutput, pause, writeAll } from './output.js'
import type { GuestProcess } from './protocol.js'
import { deterministicHost, SteppedClock, wholeInput } from './reproducible.js'
import { OutputWriter, StdinReader } from './ring.js'
import type { FileRequest } from './session-protocol.js'
import { changesFiles } from './session-request.js'

type GuestTask = Extract<WorkerTask, { kind: 'guest' }>

const { start, work, stdin: stdinRing, outputs } = workerData as WorkerStart
const stdin = new StdinReader(stdinRing, () => tell({ type: 'stdin-room' }))
const [stdout, stderr] = openOutputs()

function tell(message: WorkerMessage, handedOver: readonly ArrayBuffer[] = []): void {
  parentPort?.postMessage(message, handedOver)
}

parentPort?.once('message', ({ files: shared }: FilesMessage) => {
  try {
    if (work.kind === 'guest') prepareGuest(work, shared)
    else doWithFiles(work.request, shared)
  } catch (error) {
    tell({ type: 'failed', error: failureOf(error) })
  }
})

function prepareGuest({ process: guest, findsProgram }: GuestTask, shared: SharedFiles): void {
  const clock = start.deterministic === null ? null : new SteppedClock()
  const files = openFiles(start, shared, guest, clock?.timeNs)
  parentPort?.once('message', (program: GoMessage) =>
    tell({ type: 'ended', outcome: runGuest(program, guest, files, { clock, isOwn: !findsProgram }) }),
  )
  tellReady(files)
  if (!findsProgram) return
  const bytes = findModule(files.tree, guest)
  tell({ type: 'program', bytes }, [bytes.buffer as ArrayBuffer])
}

function doWithFiles(request: FileRequest, shared: SharedFiles): void {
  const files = openFilesFromOutside(start, shared, changesFiles(request) ? null : (fork) => tell({ type: 'forked', fork }))
  tellReady(files)
  answerFileRequest(request, { files, imageLayers: start.imageLayers, input: stdin, output: stdout })
  tell({ type: 'ended', outcome: { kind: 'exit', exitCode: 0, signal: null } })
}

function tellReady({ unions, preopens }: GuestFiles): void {
  tell({ type: 'ready', attachments: unions.map(({ attachment }) => attachment), preopens: preopens.map(({ name }) => name) })
}

function openOutputs(): readonly [OutputStream, OutputStream] {
  if (outputs !== null) {
    const open = (buffer: SharedArrayBuffer) => new OutputWriter(buffer, () => tell({ type: 'output' }))
    const out = open(outputs.stdout)
    // A terminal has one output, in which everything keeps its order.
    return [out, work.kind === 'guest' && work.process.terminal ? out : open(outputs.stderr)]
  }
  const allowance = {
    bytesLeft: start.limits.outputBytes,
    exceeded(): never {
      tell({ type: 'output-exceeded' })
      for (;;) pause(1000)
    },
  }
  return [descriptorOutput(1, allowance), descriptorOutput(2, allowance)]
}

interface RunParts {
  /** Of a deterministic run. */
  readonly clock: SteppedClock | null
  /** Whether it is the container's own program, which alone is recorded. */
  readonly isOwn: boolean
}

function runGuest(program: GoMessage, guest: GuestProcess, files: GuestFiles, { clock, isOwn }: RunParts): Outcome {
  const recording = isOwn ? openRecording(start.recording, stdout, stderr) : null
  const outcome = perform(program, guest, files, { clock, recording })
  return recording === null ? outcome : recording.end(outcome)
}

function perform(
  { module, fuel }: GoMessage,
  guest: GuestProcess,
  { tree, preopens }: GuestFiles,
  { clock, recording }: { readonly clock: SteppedClock | null; readonly recording: GuestRecording | null },
): Outcome {
  const table = new DescriptorTable(start.limits.openFiles)
  const { terminal } = guest
  table.add(new StreamDescriptor({ terminal, input: clock === null ? stdin : wholeInput(stdin) }))
  table.add(new StreamDescriptor({ terminal, output: recording?.stdout ?? stdout }))
  table.add(new StreamDescriptor({ terminal, output: recording?.stderr ?? stderr }))
  for (const { name, handle } of preopens) table.add(preopenedDirectory(tree, handle, fromUtf8(name)))
  const tank = fuel === null ? null : new FuelTank(start.limits.fuel ?? 0)
  const left = () => (tank === null ? {} : { fuelLeft: tank.left })
  const host = clock === null ? guestHost(guest) : deterministicHost(guest, clock, start.deterministic ?? '')
  const preview1 = createPreview1({ host, table, tree, meter: tank, witness: recording?.witness ?? null })
  let exports: WebAssembly.Instance['exports'] = {}
  try {
    exports = new WebAssembly.Instance(module, { [PREVIEW1]: preview1.functions }).exports
    if (fuel !== null) tank?.open(exports, fuel)
    if (exports.memory instanceof WebAssembly.Memory) preview1.attach(exports.memory)
    ;(exports._start as () => void)()
    return { kind: 'exit', exitCode: preview1.exit?.exitCode ?? 0, signal: preview1.exit?.signal ?? null, ...left() }
  } catch (error) {
    if (error instanceof GuestExit) return { kind: 'exit', exitCode: error.exitCode, signal: error.signal, ...left() }
    return { ...trapped(error, exports, tank?.isEmpty === true || recording?.isStopped() === true), ...left() }
  }
}

/** A trap, an exception nobody caught, or a stack that is used up: said on stderr, as wasmtime does. */
function trapped(error: unknown, exports: WebAssembly.Instance['exports'], isStopped: boolean): Outcome {
  const message = error instanceof RangeError && /call stack/.test(error.message) ? 'call stack exhausted' : messageOf(error)
  if (!isStopped) complain(`wasm trap: ${message}`)
  const { memory } = exports
  const tables = Object.values(exports).filter((each): each is WebAssembly.Table => each instanceof WebAssembly.Table)
  return {
    kind: 'trap',
    message,
    memoryPages: memory instanceof WebAssembly.Memory ? memory.buffer.byteLength / WASM_PAGE_BYTES : 0,
    tableElements: tables.reduce((sum, table) => sum + table.length, 0),
  }
}

function complain(text: string): void {
  try {
    const line = Buffer.from(`wolffia: ${text}\n`)
    // Past the limit of output: these are not the guest's words.
    if (outputs === null) writeAll(2, line)
    else stderr.write(line)
  } catch {
    // Nobody reads stderr any more; the exit status still says it.
  }
}
