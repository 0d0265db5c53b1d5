/**
 * A thread for a guest: opens its files, waits for the word, runs it to its end. Nothing else in the process executes guest code. Or one that
 * does something with the files for somebody outside, and runs nothing.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { EngineError, messageOf } from '../../errors.js'
import { fromUtf8 } from '../../fs/names.js'
import { type ComponentParts, runComponent } from '../component/run-component.js'
import { WASM_PAGE_BYTES } from '../module.js'
import { DescriptorTable } from '../preview1/descriptor-table.js'
import { GuestExit, type Host, type InputStream, type OutputStream } from '../preview1/host.js'
import { PREVIEW1 } from '../preview1/names.js'
import { preopenedDirectory } from '../preview1/path-open.js'
import { createPreview1 } from '../preview1/preview1.js'
import { StreamDescriptor } from '../preview1/stream-descriptor.js'
import { serveCalls } from './call-server.js'
import { answerFileRequest } from './file-requests.js'
import { findModule } from './find-module.js'
import { FuelTank } from './fuel-tank.js'
import { type GuestFiles, openFiles, openFilesFromOutside, type SharedFiles } from './guest-files.js'
import { guestHost } from './guest-host.js'
import { type ComponentRecording, type GuestRecording, openComponentRecording, openRecording } from './guest-recording.js'
import { guestThread } from './guest-thread.js'
import {
  type FilesMessage,
  failureOf,
  type GoMessage,
  type ModuleGo,
  type Outcome,
  type WorkerMessage,
  type WorkerStart,
  type WorkerTask,
} from './messages.js'
import { descriptorOutput, type OutputAllowance, pause, writeAll } from './output.js'
import type { GuestProcess } from './protocol.js'
import { deterministicHost, SteppedClock, wholeInput } from './reproducible.js'
import { OutputWriter, StdinReader } from './ring.js'
import type { FileRequest } from './session-protocol.js'
import { changesFiles } from './session-request.js'
import { SharedCalls } from './shared-calls.js'
import type { SharedProgram, ThreadTask } from './thread-messages.js'

type GuestTask = Extract<WorkerTask, { kind: 'guest' }>

const { start, work, stdin: stdinRing, outputs } = workerData as WorkerStart
const sharedCalls = work.kind === 'thread' ? new SharedCalls(work.calls) : null
const stdin = new StdinReader(stdinRing, () => tell({ type: 'stdin-room' }))
const [stdout, stderr] = openOutputs()

function tell(message: WorkerMessage, handedOver: readonly ArrayBuffer[] = []): void {
  parentPort?.postMessage(message, handedOver)
}

if (work.kind === 'thread') tell(runThread(work))
else parentPort?.once('message', ({ files }: FilesMessage) => begin(work, files))

async function begin(task: Exclude<WorkerTask, ThreadTask>, shared: SharedFiles): Promise<void> {
  try {
    if (task.kind === 'guest') await prepareGuest(task, shared)
    else doWithFiles(task.request, shared)
  } catch (error) {
    tell({ type: 'failed', error: failureOf(error) })
  }
}

async function prepareGuest({ process: known, findsProgram }: GuestTask, shared: SharedFiles): Promise<void> {
  const clock = start.deterministic === null ? null : new SteppedClock()
  const files = openFiles(start, shared, known, clock?.timeNs)
  const run =
    start.engine === 'wolffia'
      ? (program: GoMessage, guest: GuestProcess) =>
          'component' in program
            ? runComponentGuest(program.component, guest, files, { clock, isOwn: !findsProgram })
            : program.threads === null
              ? runGuest(program, guest, files, { clock, isOwn: !findsProgram })
              : serveThreads(program.threads, guest, files)
      : await runnerOfWasmer(known, files)
  parentPort?.once('message', (message: GoMessage) => tell({ type: 'ended', outcome: run(message, { ...known, ...message.words }) }))
  tellReady(files)
  if (!findsProgram) return
  const bytes = findModule(files.tree, known)
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
    return [out, work.kind !== 'files' && work.process.terminal ? out : open(outputs.stderr)]
  }
  const exceeded = (): never => {
    tell({ type: 'output-exceeded' })
    for (;;) pause(1000)
  }
  const allowance = sharedCalls === null ? { bytesLeft: start.limits.outputBytes, exceeded } : sharedAllowance(sharedCalls, exceeded)
  return [descriptorOutput(1, allowance), descriptorOutput(2, allowance)]
}

/** What all threads of a program may still write, of which each has an account that is the same. */
function sharedAllowance(calls: SharedCalls, exceeded: () => never): OutputAllowance {
  return {
    get bytesLeft() {
      return calls.outputLeft
    },
    set bytesLeft(bytes) {
      calls.outputLeft = bytes
    },
    exceeded,
  }
}

/** Returns only when the program has come to its end, or this thread to one that nobody has foreseen. */
function serveThreads(program: SharedProgram, guest: GuestProcess, files: GuestFiles): Outcome {
  try {
    return serveCalls(program, { host: guestHost(guest), stdin, tree: files.tree, table: (...streams) => openTable(guest, files, streams) })
  } catch (error) {
    return trapped(error, { memory: program.memory })
  }
}

function runThread(task: ThreadTask): WorkerMessage {
  let exports: WebAssembly.Instance['exports'] = {}
  const spawn = (slot: number, thread: number, argument: number) => tell({ type: 'spawn', slot, thread, argument })
  const thread = guestThread(task, { stdin, outputs: [stdout, stderr], spawn })
  try {
    exports = new WebAssembly.Instance(task.module, thread.imports).exports
    thread.run(exports)
    const { exit } = thread.preview1
    if (task.spawned !== null && exit === null) return { type: 'thread-ended' }
    return { type: 'ended', outcome: { kind: 'exit', exitCode: exit?.exitCode ?? 0, signal: exit?.signal ?? null } }
  } catch (error) {
    if (error instanceof GuestExit) return { type: 'ended', outcome: { kind: 'exit', exitCode: error.exitCode, signal: error.signal } }
    return { type: 'ended', outcome: trapped(error, { ...exports, memory: task.memory }) }
  }
}

type Streams = readonly [InputStream, OutputStream, OutputStream]

function openTable({ terminal }: GuestProcess, { tree, preopens }: GuestFiles, [input, ...outputs]: Streams): DescriptorTable {
  const table = new DescriptorTable(start.limits.openFiles)
  table.add(new StreamDescriptor({ terminal, input }))
  for (const output of outputs) table.add(new StreamDescriptor({ terminal, output }))
  for (const { name, handle } of preopens) table.add(preopenedDirectory(tree, handle, fromUtf8(name)))
  return table
}

type Runner = (program: GoMessage, guest: GuestProcess) => Outcome

/** Loads the other engine. */
async function runnerOfWasmer(known: GuestProcess, { unions: [root] }: GuestFiles): Promise<Runner> {
  const { runWithWasmer } = await import('./wasmer-engine.js')
  if (root === undefined) throw new EngineError('INTERNAL', 'the sandbox has no root')
  const { cwd, user, terminal } = known
  const { limits, readonlyRootfs, preopens } = start
  const names = preopens === 'none' ? {} : { ...(cwd === '/' ? {} : { '.': cwd }), '/': '/' }
  return (program, guest) => {
    if ('component' in program) throw new EngineError('INTERNAL', 'the other engine was given a component')
    const { module } = program
    const host = guestHost(guest)
    const outputs = [stdout, stderr] as const
    return outcomeOf((onExports) =>
      runWithWasmer(
        module,
        { host, root, readonlyRootfs, credentials: user, preopens: names, stdin, outputs, terminal, limits },
        onExports,
      ),
    )
  }
}

/** How a run ends that throws what ends it. It tells of its exports as soon as it has them. */
function outcomeOf(
  run: (onExports: (exports: WebAssembly.Instance['exports']) => void) => void,
  isStopped: () => boolean = () => false,
): Outcome {
  let exports: WebAssembly.Instance['exports'] = {}
  try {
    run((made) => {
      exports = made
    })
    return { kind: 'exit', exitCode: 0, signal: null }
  } catch (error) {
    if (error instanceof GuestExit) return { kind: 'exit', exitCode: error.exitCode, signal: error.signal }
    return trapped(error, exports, isStopped())
  }
}

interface RunParts {
  /** Of a deterministic run. */
  readonly clock: SteppedClock | null
  /** Whether it is the container's own program, which alone is recorded. */
  readonly isOwn: boolean
}

function runGuest(program: ModuleGo, guest: GuestProcess, files: GuestFiles, { clock, isOwn }: RunParts): Outcome {
  const recording = isOwn ? openRecording(start.recording, stdout, stderr) : null
  const outcome = perform(program, guest, files, { clock, recording })
  return recording === null ? outcome : recording.end(outcome)
}

function perform(
  { module, fuel }: ModuleGo,
  guest: GuestProcess,
  files: GuestFiles,
  { clock, recording }: { readonly clock: SteppedClock | null; readonly recording: GuestRecording | null },
): Outcome {
  const input = clock === null ? stdin : wholeInput(stdin)
  const table = openTable(guest, files, [input, recording?.stdout ?? stdout, recording?.stderr ?? stderr])
  const tank = fuel === null ? null : new FuelTank(start.limits.fuel ?? 0)
  const host = hostOf(guest, clock)
  const preview1 = createPreview1({ host, table, tree: files.tree, meter: tank, witness: recording?.witness ?? null })
  const outcome = outcomeOf(
    (onExports) => {
      const { exports } = new WebAssembly.Instance(module, { [PREVIEW1]: preview1.functions })
      onExports(exports)
      if (fuel !== null) tank?.open(exports, fuel)
      if (exports.memory instanceof WebAssembly.Memory) preview1.attach(exports.memory)
      ;(exports._start as () => void)()
      // It may have caught what ended it.
      if (preview1.exit !== null) throw preview1.exit
    },
    () => tank?.isEmpty === true || recording?.isStopped() === true,
  )
  return tank === null ? outcome : { ...outcome, fuelLeft: tank.left }
}

function hostOf(guest: GuestProcess, clock: SteppedClock | null): Host {
  return clock === null ? guestHost(guest) : deterministicHost(guest, clock, start.deterministic ?? '')
}

function runComponentGuest(component: ComponentParts, guest: GuestProcess, files: GuestFiles, { clock, isOwn }: RunParts): Outcome {
  const recording = isOwn ? openComponentRecording(start.recording, stdout, stderr) : null
  const outcome = performComponent(component, guest, files, { clock, recording })
  return recording === null ? outcome : recording.end(outcome)
}

function performComponent(
  component: ComponentParts,
  guest: GuestProcess,
  files: GuestFiles,
  { clock, recording }: { readonly clock: SteppedClock | null; readonly recording: ComponentRecording | null },
): Outcome {
  const { tree, preopens } = files
  const { terminal, cwd } = guest
  const { openFiles: maximum } = start.limits
  const streams = [clock === null ? stdin : wholeInput(stdin), recording?.stdout ?? stdout, recording?.stderr ?? stderr] as const
  const world = { host: hostOf(guest, clock), tree, streams, terminal, cwd, preopens, openFiles: maximum }
  const outcome = runComponent(component, world, { witness: recording?.witness ?? null })
  if (outcome.kind === 'exit') return { ...outcome, signal: null }
  const { cause: _cause, ...trap } = outcome
  const isStopped = (trap.fuelLeft !== undefined && trap.fuelLeft < 0) || recording?.isStopped() === true
  if (!isStopped) complain(`wasm trap: ${trap.message}`)
  return trap
}

/** A trap, an exception nobody caught, or a stack that is used up: said on stderr, as wasmtime does. */
function trapped(error: unknown, exports: WebAssembly.Instance['exports'], isStopped = false): Outcome {
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
