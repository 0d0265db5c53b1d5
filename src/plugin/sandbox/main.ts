/**
 * The sandbox process of a plugin: one per plugin, the trust domain of its instances.
 *
 * This thread supervises and never executes guest code. It makes the files, bounds and compiles the module, and tells what it has found. Each
 * channel to the owner has a thread, which the owner speaks to directly, since another thread between them would cost more than a call. Whose
 * call is to be ended, and when, the owner says here.
 */
import { readFileSync } from 'node:fs'
import { Socket } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { EngineError } from '../../errors.js'
import { makeFiles } from '../../wasm/sandbox/guest-files.js'
import { failureOf } from '../../wasm/sandbox/messages.js'
import { ModuleCompiler } from '../../wasm/sandbox/module-compiler.js'
import { writeAll } from '../../wasm/sandbox/output.js'
import { type CompiledProgram, ProgramCompiler } from '../../wasm/sandbox/program-compiler.js'
import { CONTROL_DESCRIPTOR, START_DESCRIPTOR } from '../../wasm/sandbox/protocol.js'
import type { Snapshot } from '../../wasm/sandbox/snapshot.js'
import { transpileApart } from '../../wasm/sandbox/transpiling.js'
import { SharedTrees } from '../../wasm/sandbox/worker-threads.js'
import { moduleFunctions, NO_FUNCTIONS } from '../signatures.js'
import { Interrupter } from './interrupter.js'
import { decodeStart, HOST_MODULE, type SnapshotStart } from './plugin-start.js'
import { PluginThread } from './plugin-thread.js'
import type { SharedParts, TakeMessage } from './thread-messages.js'

const { start, module: bytes } = decodeStart(readFileSync(START_DESCRIPTOR))
/** By channel. Before anything else: they take their time to come up. */
const threads = start.channels.map(() => new PluginThread(fell))

prepare().then(
  ({ trees, evidence, taken }) => {
    const interrupter = new Interrupter()
    onCommand((channel, nonce) => replace({ channel, nonce, trees, interrupter, taken }).catch(fell))
    report({ event: 'ready', evidence })
  },
  (error) => {
    report({ event: 'failed', ...failureOf(error) })
    process.exit(1)
  },
)

async function prepare() {
  const { files, shared } = makeFiles(start)
  const trees = new SharedTrees(files, shared())
  const provided = new Set(start.hostFunctions.map(({ name }) => `${HOST_MODULE}.${name}`))
  const use = {
    isProgram: false,
    provided,
    instrumentation: { fuel: start.limits.fuel !== null, canonicalNan: false, state: start.snapshot !== null },
  }
  const setting = { engine: 'wolffia', limits: start.limits } as const
  const compiler = new ProgramCompiler(new ModuleCompiler(start.limits, use), setting, transpileApart)
  const warm = Promise.all(threads.map((thread) => thread.warm))
  // A changed flag makes V8 refuse what Node has compiled beforehand, which the threads need to come up quickly.
  const compiled = await compiler.compile(bytes, warm)
  await warm
  // The engine's own bound on memory, beside the one in the module.
  setFlagsFromString(`--wasm-max-mem-pages=${Math.max(1, start.limits.memoryPages)}`)
  const original = start.snapshot === null ? null : bytes
  const parts = { start, files: trees.shared, snapshot: null, original, ...programOf(compiled) }
  const taken = start.snapshot === null ? parts : { ...parts, snapshot: await snapshotOf(start.snapshot, parts, trees) }
  await Promise.all(start.channels.map((channel, place) => threads[place]?.take({ ...taken, ...channel })))
  return { trees, evidence: { ...compiled.evidence, preopens: files.preopens.map(({ name }) => name), environment: start.env }, taken }
}

/** What the threads are told of the plugin's program. */
function programOf(compiled: CompiledProgram): Pick<SharedParts, 'module' | 'component' | 'fuel' | 'state' | 'functions'> {
  if ('component' in compiled) return { module: null, component: compiled.component, fuel: null, state: null, functions: NO_FUNCTIONS }
  const { module, fuel, state } = compiled
  return { module, component: null, fuel, state, functions: moduleFunctions(bytes) }
}

/** In a thread of its own, which nobody uses after it. */
async function snapshotOf({ timeoutMs, ...how }: SnapshotStart, parts: Omit<SharedParts, 'guard'>, trees: SharedTrees): Promise<Snapshot> {
  const thread = new PluginThread(fell)
  await thread.warm
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(lateError(timeoutMs)), timeoutMs)
  })
  try {
    return await Promise.race([thread.takeSnapshot({ ...parts, ...how }), late])
  } finally {
    clearTimeout(timer)
    await thread.end(trees).catch(() => {})
  }
}

function lateError(timeoutMs: number): EngineError {
  return new EngineError(
    'DEADLINE_EXCEEDED',
    `the module has not initialised itself within ${timeoutMs} ms, so that there is no snapshot`,
    {
      hint: 'Give it more with snapshot.timeoutMs.',
      data: { timeoutMs },
    },
  )
}

interface Replacement {
  readonly channel: number
  readonly nonce: string
  readonly trees: SharedTrees
  readonly interrupter: Interrupter
  readonly taken: Omit<TakeMessage, 'descriptor' | 'nonce' | 'guard'>
}

/** Ends the call, and where that does not help the thread with all that it keeps. */
async function replace({ channel, nonce, trees, interrupter, taken }: Replacement): Promise<void> {
  const old = threads[channel]
  const descriptor = start.channels[channel]?.descriptor
  if (old === undefined || descriptor === undefined) return
  const isInterrupted = await old.interrupt(interrupter)
  if (!isInterrupted) await old.end(trees)
  // From here on nobody reads from the channel or writes to it.
  report({ event: 'replaced', channel })
  if (isInterrupted) {
    old.resume(nonce)
    return
  }
  const next = new PluginThread(fell)
  threads[channel] = next
  await next.warm
  await next.take({ ...taken, descriptor, nonce })
}

/** `end CHANNEL NONCE`, a line each. */
function onCommand(end: (channel: number, nonce: string) => void): void {
  let text = ''
  const commands = new Socket({ fd: CONTROL_DESCRIPTOR })
  commands.setEncoding('utf8')
  commands.on('data', (chunk: string) => {
    const lines = (text + chunk).split('\n')
    text = lines.pop() ?? ''
    for (const line of lines) {
      const [, channel, nonce] = /^end (\d+) ([0-9a-f]+)$/.exec(line) ?? []
      if (channel !== undefined && nonce !== undefined) end(Number(channel), nonce)
    }
  })
  commands.on('error', () => {})
  // Without an owner there is nobody to run for.
  commands.on('close', () => process.kill(process.pid, 'SIGKILL'))
}

function report(event: Readonly<Record<string, unknown>>): void {
  try {
    writeAll(CONTROL_DESCRIPTOR, Buffer.from(`${JSON.stringify(event)}\n`))
  } catch {
    process.kill(process.pid, 'SIGKILL')
  }
}

/** A thread broke by itself: it may have had the lock of a tree, so nobody can go on. The owner sees the end and starts anew. */
function fell(): void {
  process.kill(process.pid, 'SIGKILL')
}
