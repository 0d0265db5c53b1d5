/**
 * The sandbox process: one per container, the guest's whole trust domain.
 *
 * This thread supervises and never executes guest code. It reads what to run, bounds and compiles the module, tells what it has
 * found (the receipt's evidence, before any instruction of the guest), feeds stdin, and holds the limit of output. The guest runs in
 * a worker, which holds its files. Time is the supervisor's to hold: this process may be the guest's by then.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import { Worker } from 'node:worker_threads'
import { EngineError, type ErrorCode, messageOf } from '../../errors.js'
import { fromUtf8 } from '../../fs/names.js'
import { UnionFs } from '../../fs/union-fs.js'
import type { ExitStatus } from '../../runtime/exit.js'
import type { WasmEvidence } from '../../runtime/receipt.js'
import { assertModuleSize, type PreparedModule, prepareModule } from '../module.js'
import { openGuestFiles } from './guest-files.js'
import type { FailureMessage, GoMessage, WorkerMessage, WorkerStart } from './messages.js'
import { CONTROL_DESCRIPTOR, GO, OUTLIVE, START_DESCRIPTOR, type StartMessage } from './protocol.js'
import { createStdinBuffer, StdinWriter } from './stdin-ring.js'
import { exitStatusOf, report, stopped, writeDown } from './supervision.js'

/** From Node 24 on the optimising compiler inlines by what the baseline compiler has counted, and dies where there is none. */
const UNCOUNTED = Number.parseInt(process.versions.node, 10) < 24 ? [] : ['--no-wasm-inlining', '--no-wasm-inlining-call-indirect']
const COMPILER_FLAGS = { baseline: ['--liftoff-only'], both: [], optimizing: ['--no-liftoff', ...UNCOUNTED] } as const
/** JavaScript heap for the guest's inodes; linear memory and file contents lie outside it. */
const WORKER_HEAP_MB = 1024
const WORKER_STACK_MB = 4

const start = JSON.parse(readFileSync(START_DESCRIPTOR, 'utf8')) as StartMessage
const stdinBuffer = createStdinBuffer()
const worker = new Worker(fileURLToPath(new URL('./worker.cjs', import.meta.url)), {
  workerData: { start, stdin: stdinBuffer } satisfies WorkerStart,
  env: {},
  execArgv: [],
  resourceLimits: { maxOldGenerationSizeMb: WORKER_HEAP_MB, stackSizeMb: WORKER_STACK_MB },
})
const workerReady = new Promise<void>((resolve, reject) => {
  worker.on('error', (error) => (startedAt === null ? reject(error) : fell(error)))
  worker.on('message', (message: WorkerMessage) => {
    if (message.type === 'ready') resolve()
    else if (message.type === 'failed') reject(errorOf(message.error))
    else take(message)
  })
})
let startedAt: number | null = null
let resumeStdin = (): void => {}

prepareGuest().then(
  ({ module, evidence }) => {
    report({ event: 'ready', evidence })
    onCommand(() => run(module))
  },
  (error) => {
    const known = error instanceof EngineError ? error : new EngineError('SANDBOX_FAILED', messageOf(error))
    const { code, message, hint, data } = known
    report({ event: 'failed', code, message, ...(hint === undefined ? {} : { hint }), data })
    process.exit(1)
  },
)

/** Finds the program in a view of the files of this thread's own, while the worker still comes up. None is in a remote file system, which is the worker's to ask. */
async function prepareGuest(): Promise<{ module: WebAssembly.Module; evidence: WasmEvidence }> {
  const files = openGuestFiles(start, () => new UnionFs({ lowers: [] }))
  const { fs, ino, type } = files.tree.walkAsHost(fromUtf8(start.program))
  if (ino === undefined) throw new EngineError('COMMAND_NOT_FOUND', `${start.program} does not exist in the container`)
  if (type !== 'file') throw new EngineError('COMMAND_NOT_EXECUTABLE', `${start.program} is a ${type}`)
  const { size } = fs.stat(ino)
  assertModuleSize(size)
  const bytes = new Uint8Array(size)
  fs.read(ino, bytes, 0)
  const prepared = prepareModule(bytes, start.limits)
  const moduleDigest = `sha256:${createHash('sha256').update(bytes).digest('hex')}` as const
  const module = await compile(prepared)
  await workerReady
  // The engine's own bound on memory, beside the one in the module.
  setFlagsFromString(`--wasm-max-mem-pages=${Math.max(1, start.limits.memoryPages)}`)
  return {
    module,
    evidence: {
      engine: 'v8, wolffia preview1',
      v8: process.versions.v8,
      moduleDigest,
      imports: prepared.imports,
      memoryPagesMaximum: prepared.memoryPagesMaximum,
      tableElementsMaximum: prepared.tableElementsMaximum,
      preopens: files.preopens.map(({ name }) => name),
      environment: start.env,
    },
  }
}

async function compile({ bytes, compiler }: PreparedModule): Promise<WebAssembly.Module> {
  const flags = COMPILER_FLAGS[compiler]
  // A changed flag makes V8 refuse what Node has compiled beforehand, which the worker needs to come up quickly.
  if (flags.length > 0) await workerReady
  for (const flag of flags) setFlagsFromString(flag)
  let module: WebAssembly.Module
  try {
    module = await WebAssembly.compile(bytes)
  } catch (cause) {
    throw new EngineError('COMMAND_NOT_EXECUTABLE', `the program is not a valid WebAssembly module: ${messageOf(cause)}`, { cause })
  }
  const isCommand = WebAssembly.Module.exports(module).some(({ name, kind }) => name === '_start' && kind === 'function')
  if (!isCommand)
    throw new EngineError('COMMAND_NOT_EXECUTABLE', 'the module exports no _start: it is a library, not a program', {
      hint: 'Build it as a WASI command.',
    })
  return module
}

function onCommand(go: () => void): void {
  let text = ''
  let { outlives } = start
  const commands = new Socket({ fd: CONTROL_DESCRIPTOR })
  commands.setEncoding('utf8')
  commands.on('data', (chunk: string) => {
    const lines = (text + chunk).split('\n')
    text = lines.pop() ?? ''
    for (const line of lines) {
      if (line === GO && startedAt === null) go()
      if (line === OUTLIVE) outlives = true
    }
  })
  commands.on('error', () => {})
  // A supervisor that is gone leaves nobody to run for, unless it has said so.
  commands.on('close', () => {
    if (!outlives || startedAt === null) process.kill(process.pid, 'SIGKILL')
  })
}

function run(module: WebAssembly.Module): void {
  startedAt = performance.now()
  worker.postMessage({ module } satisfies GoMessage)
  report({ event: 'started' })
  // Last: Node takes its time to load what reads stdin, and the guest's thread is under way by then.
  feedStdin()
}

function feedStdin(): void {
  const ring = new StdinWriter(stdinBuffer)
  let rest: Uint8Array = new Uint8Array()
  let ended = false
  const put = (): void => {
    rest = rest.subarray(ring.put(rest))
    if (rest.length > 0) return
    if (ended) ring.end()
    else process.stdin.resume()
  }
  const finish = (): void => {
    ended = true
    put()
  }
  process.stdin.on('data', (chunk: Buffer) => {
    process.stdin.pause()
    // The stream may give a chunk more before it rests.
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    put()
  })
  process.stdin.on('end', finish)
  process.stdin.on('error', finish)
  resumeStdin = put
}

function take(message: WorkerMessage): void {
  if (message.type === 'stdin-room') resumeStdin()
  else if (message.type === 'ended') endOfItsOwn(exitStatusOf(message.outcome, start.limits, elapsed()), message.lost)
  else if (message.type === 'output-exceeded')
    end(stopped('limit', `it wrote more than ${start.limits.outputBytes} bytes to stdout and stderr`, elapsed()))
}

function endOfItsOwn(status: ExitStatus, lost: string | null): void {
  if (lost === null) end(status, { upperWhole: start.keepsUpper })
  else end({ ...status, detail: status.detail === undefined ? lost : `${status.detail}; ${lost}` })
}

/** The worker itself broke: its heap is full, or wolffia has a bug. */
function fell(error: Error): void {
  const heap = (error as NodeJS.ErrnoException).code === 'ERR_WORKER_OUT_OF_MEMORY'
  end(stopped(heap ? 'out-of-memory' : 'signaled', heap ? 'its files took all memory there is for them' : messageOf(error), elapsed()))
}

function end(status: ExitStatus, { upperWhole } = { upperWhole: false }): void {
  const event = { event: 'exited', upperWhole, ...status } as const
  // First where it lasts: nobody may be listening any more.
  if (start.endDescriptor !== null) writeDown(event, start.endDescriptor)
  report(event)
  // Nothing is left to be put away, and a worker in an endless loop or a blocked write would only be waited for.
  process.kill(process.pid, 'SIGKILL')
}

function elapsed(): number {
  return startedAt === null ? 0 : performance.now() - startedAt
}

function errorOf({ code, message, hint, data }: FailureMessage): EngineError {
  return new EngineError(code as ErrorCode, message, hint === undefined ? { data } : { data, hint })
}
