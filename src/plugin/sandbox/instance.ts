import { EngineError, messageOf } from '../../errors.js'
import { fromUtf8 } from '../../fs/names.js'
import { type StateExports, unkept } from '../../wasm/instrument/reveal.js'
import { WASM_PAGE_BYTES } from '../../wasm/module.js'
import { DescriptorTable } from '../../wasm/preview1/descriptor-table.js'
import { GuestExit, type OutputStream } from '../../wasm/preview1/host.js'
import { PREVIEW1 } from '../../wasm/preview1/names.js'
import { preopenedDirectory } from '../../wasm/preview1/path-open.js'
import { createPreview1, type Preview1 } from '../../wasm/preview1/preview1.js'
import { StreamDescriptor } from '../../wasm/preview1/stream-descriptor.js'
import { FuelTank, OutOfFuel } from '../../wasm/sandbox/fuel-tank.js'
import { guestHost } from '../../wasm/sandbox/guest-host.js'
import { restore, type Snapshot, UntouchedState } from '../../wasm/sandbox/snapshot.js'
import { decodeNumbers, encodeNumbers } from '../call-protocol.js'
import type { ValueType } from '../signatures.js'
import { bytesInput } from './bytes-input.js'
import type { InstanceParts } from './call-server.js'
import { CallOver, type OwnerChannel, OwnerGone } from './owner-channel.js'
import { HOST_MODULE, type HostFunctionSummary } from './plugin-start.js'
import { StdinPoint } from './stdin-point.js'
import { stoppableHost } from './stoppable-host.js'

/** Who answers host functions. */
export type Asked = Pick<OwnerChannel, 'ask'>

/** What one instance is given besides its module's parts. */
export interface InstanceGiven {
  readonly args: readonly string[]
  /** stdin. */
  readonly input: Uint8Array
  /** Null keeps the end of stderr, for a failure to show, and drops the rest. */
  /** What it may spend, where it is to be counted. */
  readonly fuel: number
  readonly output: { readonly stdout: OutputStream; readonly stderr: OutputStream } | null
}

/** What a guest calls, or is called by. */
type HostCall = (...arguments_: readonly unknown[]) => unknown

/** Names by which modules export their initialisation for github.com/bytecodealliance/wizer, the newer one first. */
export const WIZER_NAMES = ['wizer-initialize', 'wizer.initialize']
/** What of stderr is shown with a failure, in characters. */
const SHOWN_CHARACTERS = 4096
/** A guest that fails with this share of its memory in use has most likely run into the limit. */
const NEARLY_ALL = 0.9

/**
 * One instance of the module. The guest is hostile: each pointer and length that it gives is checked against its memory, and what it exports may be
 * anything.
 */
export class Instance {
  /** Of the call under way, in whose name host functions are asked. */
  number = 0
  readonly #parts: InstanceParts
  readonly #channel: Asked
  readonly #given: InstanceGiven
  #exports: WebAssembly.Instance['exports'] = {}
  #preview1: Preview1 | null = null
  #table: DescriptorTable | null = null
  /** Bytes of stderr, the last. */
  #complaint = Buffer.alloc(0)
  /** What ended the call from below the guest's frames: a guest that catches it goes on in vain. */
  #stopped: unknown = null
  readonly #tank: FuelTank | null
  /** Where the snapshot is taken, and gone on from; null where nothing is asked for it. */
  readonly #stdinPoint: StdinPoint | null

  constructor(parts: InstanceParts, channel: Asked, given: InstanceGiven) {
    this.#parts = parts
    this.#channel = channel
    this.#given = given
    this.#tank = parts.fuel === null ? null : new FuelTank(given.fuel)
    const program = parts.start.snapshot?.program ?? null
    this.#stdinPoint = program === null ? null : new StdinPoint({ call: this.call.bind(this), memory: () => this.#memory() })
  }

  /** Instantiates the module, which runs its start function, or makes it what the snapshot was. */
  open(): void {
    const { state, snapshot } = this.#parts
    this.#instantiate()
    if (state === null) return
    if (snapshot === null) this.#runStart(state)
    else restore(this.#exports, state, snapshot)
  }

  /**
   * Opens it, runs what makes it ready, and gives what it has become. Throws FUNCTION_NOT_FOUND where there is no such function, NOT_BUILT for what no snapshot
   * can keep, and whatever the guest ends with.
   */
  openForSnapshot(state: StateExports, run: (instance: Instance) => Pick<Snapshot, 'frames'>): Snapshot {
    this.#instantiate()
    const untouched = new UntouchedState(this.#exports, state)
    const open = this.#table?.open
    this.#runStart(state)
    const reached = run(this)
    if (this.#table?.open !== open) throw unkept('its initialisation leaves files open')
    return { ...untouched.snapshot(), ...reached }
  }

  /** As a library, by its own `_initialize` and then by this function or one of Wizer's. */
  initializeBy(init: string | null): Pick<Snapshot, 'frames'> {
    this.initialize()
    const name = init ?? WIZER_NAMES.find((each) => this.exports(each))
    if (name !== undefined) this.call(name, [])
    return {}
  }

  /** Runs the program up to where it first reads its stdin. */
  reachStdin(): Pick<Snapshot, 'frames'> {
    if (this.#stdinPoint === null) throw new EngineError('INTERNAL', 'no program is to be begun')
    return { frames: this.#stdinPoint.reach() }
  }

  /** Runs the program, from where the snapshot has left it if it has. Throws {@link GuestExit}, and whatever else ends it. */
  runProgram(): void {
    const frames = this.#parts.snapshot?.frames
    if (frames === undefined || this.#stdinPoint === null) this.call('_start', [])
    else this.#stdinPoint.goOn(frames)
  }

  #runStart({ start }: StateExports): void {
    if (start !== null) this.call(start, [])
  }

  #instantiate(): void {
    const { module, start, functions } = this.#parts
    if (module === null) throw new EngineError('INTERNAL', 'a component has no instances of its own')
    const imports: Record<string, Record<string, unknown>> = {}
    const names = [...functions.imports.keys()]
    if (names.some((name) => name.startsWith(`${PREVIEW1}.`))) {
      this.#preview1 = this.#createPreview1()
      imports[PREVIEW1] = { ...this.#preview1.functions }
      const { fd_read } = this.#preview1.functions
      if (this.#stdinPoint !== null) imports[PREVIEW1].fd_read = this.#stdinPoint.around(fd_read as HostCall)
    }
    if (start.hostFunctions.length > 0)
      imports[HOST_MODULE] = Object.fromEntries(
        start.hostFunctions.map((summary, place) => [summary.name, this.#hostFunction(summary, place)]),
      )
    const { guard } = this.#parts
    for (const functions of Object.values(imports))
      for (const [name, call] of Object.entries(functions)) functions[name] = guard.host(call as HostCall)
    this.#exports = guard.guest(() => new WebAssembly.Instance(module, imports).exports)
    const { fuel } = this.#parts
    if (fuel !== null) guard.guest(() => this.#tank?.open(this.#exports, fuel))
    const { memory } = this.#exports
    if (memory instanceof WebAssembly.Memory) this.#preview1?.attach(memory)
  }

  /** As a WASI reactor is, once, before its first call. */
  initialize(): void {
    if (this.#parts.snapshot !== null) return
    if (typeof this.#exports._initialize === 'function') this.call('_initialize', [])
  }

  /** Calls an exported function. Throws whatever ends it. */
  call(name: string, arguments_: readonly (number | bigint)[]): unknown {
    const exported = this.#exports[name]
    if (typeof exported !== 'function') throw new EngineError('FUNCTION_NOT_FOUND', `the module exports no function ${name}`)
    const result = this.#parts.guard.guest(() => (exported as HostCall)(...arguments_))
    this.#throwIfStopped()
    if (this.isOutOfFuel) throw new OutOfFuel()
    return result
  }

  /** What it may still spend; 0 where nobody counts. */
  get fuel(): number {
    return this.#tank?.left ?? 0
  }

  set fuel(amount: number) {
    if (this.#tank !== null) this.#tank.left = amount
  }

  get isOutOfFuel(): boolean {
    return this.#tank?.isEmpty === true
  }

  /** What is left when it has ended, where it is counted. */
  fuelLeft(): { readonly fuelLeft?: number } {
    return this.#tank === null ? {} : { fuelLeft: this.#tank.left }
  }

  exports(name: string): boolean {
    return typeof this.#exports[name] === 'function'
  }

  /** Bytes of the guest's memory: a view that is good until the guest runs again. Throws INVALID_RESULT for what lies outside. */
  bytes(pointer: number, length: number): Buffer {
    const { buffer } = this.#memory()
    const [start, count] = [pointer >>> 0, length >>> 0]
    if (start + count > buffer.byteLength)
      throw new EngineError('INVALID_RESULT', `the guest points at ${count} bytes at ${start}, but its memory has ${buffer.byteLength}`, {
        data: { pointer: start, length: count, memoryBytes: buffer.byteLength },
      })
    return Buffer.from(buffer, start, count)
  }

  /** Puts bytes where the guest's own `allocate` has made room for them, and gives the pointer. */
  place(bytes: Uint8Array): number {
    if (bytes.length === 0) return 0
    const pointer = this.call('allocate', [bytes.length])
    if (typeof pointer !== 'number') throw new EngineError('INVALID_RESULT', 'allocate gives no pointer: its type must be (i32) -> i32')
    this.bytes(pointer, bytes.length).set(bytes)
    return pointer
  }

  /** What ended a call, in words. Anything but an error of the guest's goes through as it is. */
  failureOf(error: unknown, data: Readonly<Record<string, unknown>>): unknown {
    const cause = this.#stopped ?? error
    if (cause instanceof CallOver || cause instanceof OwnerGone) return cause
    const stderr = this.#complaint.toString('utf8').slice(-SHOWN_CHARACTERS)
    const shown = { ...data, ...(stderr === '' ? {} : { stderr }) }
    if (cause instanceof EngineError)
      return new EngineError(cause.code, cause.message, { data: { ...shown, ...cause.data }, ...(cause.hint ? { hint: cause.hint } : {}) })
    if (cause instanceof GuestExit)
      return new EngineError('GUEST_TRAPPED', `the plugin ended itself with exit code ${cause.exitCode} instead of returning`, {
        data: { ...shown, exitCode: cause.exitCode },
      })
    const { memoryPages, fuel } = this.#parts.start.limits
    if (this.isOutOfFuel)
      return new EngineError('LIMIT_EXCEEDED', `the plugin used up its fuel of ${fuel}`, {
        hint: 'Raise limits.fuel if it is to do more.',
        data: { ...shown, reason: 'out-of-fuel', limit: fuel },
      })
    if (this.memoryPages >= memoryPages * NEARLY_ALL)
      return new EngineError(
        'LIMIT_EXCEEDED',
        `the plugin failed with ${this.memoryPages} of at most ${memoryPages} pages of memory in use`,
        {
          hint: 'Raise limits.memoryBytes if it is to have more.',
          data: { ...shown, trap: trapText(cause) },
        },
      )
    return new EngineError('GUEST_TRAPPED', `the plugin trapped: ${trapText(cause)}`, { data: shown })
  }

  /** What the guest said when it ended itself, if it has. */
  get exit(): GuestExit | null {
    return this.#preview1?.exit ?? null
  }

  get memoryPages(): number {
    const { memory } = this.#exports
    return memory instanceof WebAssembly.Memory ? memory.buffer.byteLength / WASM_PAGE_BYTES : 0
  }

  get tableElements(): number {
    const tables = Object.values(this.#exports).filter((each): each is WebAssembly.Table => each instanceof WebAssembly.Table)
    return tables.reduce((sum, table) => sum + table.length, 0)
  }

  #memory(): WebAssembly.Memory {
    const { memory } = this.#exports
    if (memory instanceof WebAssembly.Memory) return memory
    throw new EngineError('INVALID_RESULT', 'the module exports no memory, or uses it before it is made', {
      hint: 'Export the memory as "memory", and call host functions from _initialize on, not from a start function.',
    })
  }

  #throwIfStopped(): void {
    if (this.#stopped !== null) throw this.#stopped
    if (this.exit !== null) throw this.exit
  }

  /** A function of the owner's, as the guest imports it. */
  #hostFunction({ name, takes }: HostFunctionSummary, place: number): (...arguments_: (number | bigint)[]) => unknown {
    const signature = this.#parts.functions.imports.get(`${HOST_MODULE}.${name}`) ?? null
    const call = (arguments_: (number | bigint)[]): unknown => {
      if (takes === 'bytes') return this.#askBytes(place, Number(arguments_[0]), Number(arguments_[1]))
      return this.#askNumbers(place, arguments_, signature ?? { parameters: [], results: [] })
    }
    return (...arguments_) => {
      this.#throwIfStopped()
      try {
        this.#tank?.callHost()
        return call(arguments_)
      } catch (error) {
        if (!(error instanceof OutOfFuel)) this.#stopped ??= error
        throw error
      }
    }
  }

  #askBytes(place: number, pointer: number, length: number): bigint {
    const input = this.bytes(pointer, length)
    const { outputBytes } = this.#parts.start
    if (input.length > outputBytes)
      throw new EngineError(
        'LIMIT_EXCEEDED',
        `a host function is called with ${input.length} bytes, more than limits.outputBytes, ${outputBytes}`,
      )
    this.#tank?.touch(input.length)
    const answer = this.#channel.ask(this.number, place, input)
    this.#tank?.touch(answer.length)
    return (BigInt(this.place(answer)) << 32n) | BigInt(answer.length)
  }

  #askNumbers(
    place: number,
    arguments_: readonly (number | bigint)[],
    { parameters, results }: { readonly parameters: readonly ValueType[]; readonly results: readonly ValueType[] },
  ): unknown {
    return decodeNumbers(results, this.#channel.ask(this.number, place, encodeNumbers(parameters, arguments_)))[0]
  }

  #createPreview1(): Preview1 {
    const { start, files } = this.#parts
    const { args, input, output } = this.#given
    const table = new DescriptorTable(start.limits.openFiles)
    this.#table = table
    table.add(new StreamDescriptor({ terminal: false, input: bytesInput(input) }))
    table.add(new StreamDescriptor({ terminal: false, output: output?.stdout ?? { write: () => {} } }))
    table.add(new StreamDescriptor({ terminal: false, output: output?.stderr ?? { write: (bytes) => this.#complain(bytes) } }))
    for (const { name, handle } of files.preopens) table.add(preopenedDirectory(files.tree, handle, fromUtf8(name)))
    return createPreview1({
      host: stoppableHost(guestHost({ args, env: start.env }), this.#parts.guard),
      table,
      tree: files.tree,
      meter: this.#tank,
    })
  }

  #complain(bytes: Uint8Array): void {
    this.#complaint = Buffer.concat([this.#complaint, bytes.subarray(-SHOWN_CHARACTERS)]).subarray(-SHOWN_CHARACTERS)
  }
}

/** How an engine says that a guest went wrong. */
export function trapText(error: unknown): string {
  return error instanceof RangeError && /call stack/.test(error.message) ? 'call stack exhausted' : messageOf(error)
}
