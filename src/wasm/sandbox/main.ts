/**
 * The sandbox process: one per container, the trust domain of its guests.
 *
 * This thread supervises and never executes guest code. It reads what to run, makes the files, bounds and compiles the module, tells what it
 * has found (the receipt's evidence, before any instruction of the guest), feeds stdin, and holds the limit of output. The guest runs in
 * a worker, and so does each further program that is asked for at the sandbox's socket. Time is the supervisor's to hold: this process may be
 * the guest's by then.
 */
import { readFileSync } from 'node:fs'
import { Socket } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { EngineError, messageOf } from '../../errors.js'
import { fromUtf8 } from '../../fs/names.js'
import type { ExitStatus } from '../../runtime/exit.js'
import type { WasmEvidence } from '../../runtime/receipt.js'
import { assertModuleSize } from '../module.js'
import { type GuestFiles, makeFiles } from './guest-files.js'
import { GuestThreads } from './guest-threads.js'
import { errorOf, failureOf, type GoMessage, type WorkerMessage } from './messages.js'
import { type CompiledModule, ModuleCompiler } from './module-compiler.js'
import { writeAll } from './output.js'
import { type CompiledProgram, ProgramCompiler } from './program-compiler.js'
import {
  BECOME,
  CONTROL_DESCRIPTOR,
  GO,
  type GuestWords,
  OUTLIVE,
  START_DESCRIPTOR,
  type StartMessage,
  UPPER_DESCRIPTOR,
} from './protocol.js'
import { instrumentationOf } from './reproducible.js'
import { createRing, StdinWriter } from './ring.js'
import { Sessions } from './sessions.js'
import { exitStatusOf, report, stopped, writeDown } from './supervision.js'
import { readTranspiled } from './transpiled-file.js'
import { transpileApart } from './transpiling.js'
import { writeUpper } from './upper.js'
import { startWorker, WorkerThreads } from './worker-threads.js'

const start = JSON.parse(readFileSync(START_DESCRIPTOR, 'utf8')) as StartMessage
const stdinRing = createRing()
// Before anything else: it takes its time to come up.
const worker = startWorker({ start, work: { kind: 'guest', process: start, findsProgram: false }, stdin: stdinRing, outputs: null })
const workerReady = new Promise<void>((resolve, reject) => {
  worker.on('error', (error) => (startedAt === null ? reject(error) : fell(error)))
  worker.on('message', (message: WorkerMessage) => {
    if (message.type === 'ready') resolve()
    else if (message.type === 'failed') reject(errorOf(message.error))
    else take(message)
  })
})
const use = { isProgram: true, provided: new Set<string>(), instrumentation: instrumentationOf(start) }
const compiler = new ProgramCompiler(new ModuleCompiler(start.limits, use, start.engine), start, transpileApart)
let startedAt: number | null = null
/** Null in a sandbox that is nobody's yet. */
let words: GuestWords | null = start.prewarmed ? null : { args: start.args, env: start.env }
let resumeStdin = (): void => {}
/** Once the guest is ready to run. */
let inside: { readonly threads: WorkerThreads; readonly sessions: Sessions; readonly files: GuestFiles } | null = null
/** Of a guest that has several. */
let guestThreads: GuestThreads | null = null

prepareGuest().then(
  ({ compiled, evidence, files, threads }) => {
    inside = { threads, sessions: new Sessions({ threads, compiler, limits: start.limits, isStarted: () => startedAt !== null }), files }
    const tellReady = ({ env }: GuestWords) => report({ event: 'ready', evidence: { ...evidence, environment: env } })
    if (words === null) report({ event: 'warm' })
    else tellReady(words)
    onCommand({
      become: (given) => {
        words = given
        tellReady(given)
      },
      go: (given) => {
        run(compiled, given)
        // Its socket has a place by now.
        if (start.prewarmed) inside?.sessions.listen(start.sessions)
      },
    })
    if (!start.prewarmed) inside.sessions.listen(start.sessions)
  },
  (error) => {
    const { code, message, hint, data } = failureOf(error)
    report({ event: 'failed', code, message, ...(hint === undefined ? {} : { hint }), data })
    process.exit(1)
  },
)

interface Prepared {
  readonly compiled: CompiledProgram
  readonly evidence: WasmEvidence
  readonly files: GuestFiles
  readonly threads: WorkerThreads
}

/** Makes the files and finds the program in them, while the worker still comes up. */
async function prepareGuest(): Promise<Prepared> {
  const { files, shared } = makeFiles(start)
  const threads = new WorkerThreads(start, files, shared(), fell)
  threads.showFiles(worker)
  const { fs, ino, type } = files.tree.walkAsHost(fromUtf8(start.program))
  if (ino === undefined) throw new EngineError('COMMAND_NOT_FOUND', `${start.program} does not exist in the container`)
  if (type !== 'file') throw new EngineError('COMMAND_NOT_EXECUTABLE', `${start.program} is a ${type}`)
  const { size } = fs.stat(ino)
  assertModuleSize(size)
  const bytes = new Uint8Array(size)
  fs.read(ino, bytes, 0)
  // A changed flag makes V8 refuse what Node has compiled beforehand, which the worker needs to come up quickly.
  const compiled = await compiler.compile(bytes, workerReady, (digest) => readTranspiled(start.transpiled, digest))
  await workerReady
  // What a guest's calls run through is compiled well sooner: most programs end before V8 would have done so by itself. Later ones than Node 20's have
  // no such flag, and complain of it on the guest's stderr.
  if (Number.parseInt(process.versions.v8, 10) < 12) setFlagsFromString('--interrupt-budget=30000')
  // The engine's own bound on memory, beside the one in the module.
  setFlagsFromString(`--wasm-max-mem-pages=${Math.max(1, start.limits.memoryPages)}`)
  const preopens = files.preopens.map(({ name }) => name)
  return { compiled, evidence: { ...compiled.evidence, preopens, environment: start.env }, files, threads }
}

interface Commands {
  /** Once at most, before the other. */
  readonly become: (words: GuestWords) => void
  readonly go: (words: GuestWords) => void
}

function onCommand({ become, go }: Commands): void {
  let text = ''
  let { outlives } = start
  const commands = new Socket({ fd: CONTROL_DESCRIPTOR })
  commands.setEncoding('utf8')
  commands.on('data', (chunk: string) => {
    const lines = (text + chunk).split('\n')
    text = lines.pop() ?? ''
    for (const line of lines) {
      if (line.startsWith(BECOME) && words === null) become(JSON.parse(line.slice(BECOME.length)) as GuestWords)
      if (line === GO && startedAt === null && words !== null) go(words)
      if (line === OUTLIVE) outlives = true
    }
  })
  commands.on('error', () => {})
  // A supervisor that is gone leaves nobody to run for, unless it has said so.
  commands.on('close', () => {
    if (!outlives || startedAt === null) process.kill(process.pid, 'SIGKILL')
  })
}

function run(program: CompiledProgram, given: GuestWords): void {
  startedAt = performance.now()
  if ('component' in program) worker.postMessage({ component: program.component, words: given } satisfies GoMessage)
  else runModule(program, given)
  report({ event: 'started' })
  // Last: Node takes its time to load what reads stdin, and the guest's thread is under way by then.
  feedStdin()
}

function runModule({ module, fuel, threads }: CompiledModule, given: GuestWords): void {
  if (threads !== null) {
    const { outputBytes } = start.limits
    guestThreads = new GuestThreads({
      start,
      process: { ...start, ...given },
      stdin: stdinRing,
      outputs: null,
      module,
      threads,
      outputBytes,
      hear: take,
      fell,
    })
  }
  worker.postMessage({ module, fuel, threads: guestThreads?.shared ?? null, words: given } satisfies GoMessage)
  guestThreads?.begin()
}

function feedStdin(): void {
  const ring = new StdinWriter(stdinRing)
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
  else if (message.type === 'ended') endOfItsOwn(exitStatusOf(message.outcome, start.limits, elapsed())).catch(fell)
  else if (message.type === 'output-exceeded')
    end(stopped('limit', `it wrote more than ${start.limits.outputBytes} bytes to stdout and stderr`, elapsed()))
}

/** All its programs end with it, before its files are kept. */
async function endOfItsOwn(status: ExitStatus): Promise<void> {
  await inside?.sessions.end()
  if (guestThreads !== null) {
    await guestThreads.end()
    // It may still be in a call of theirs.
    await inside?.threads.end(worker, [], [])
  }
  const lost = start.keepsUpper && inside !== null ? keepFiles(inside.files) : null
  if (lost === null) end(status, { upperWhole: start.keepsUpper })
  else end({ ...status, detail: status.detail === undefined ? lost : `${status.detail}; ${lost}` })
}

/** Why the guest's files could not be kept, said on stderr too; null when they were. Its exit code is told in either case. */
function keepFiles({ unions: [root] }: GuestFiles): string | null {
  try {
    if (root === undefined) throw new EngineError('INTERNAL', 'the sandbox has no root')
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

/** A worker itself broke: its heap is full, or wolffia has a bug. What it had hold of nobody gives back. */
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
