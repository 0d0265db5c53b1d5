import { EngineError } from '../../errors.js'
import { withState } from '../../wasm/instrument/with-state.js'
import type { GuestFiles } from '../../wasm/sandbox/guest-files.js'
import { failureOf, type Outcome } from '../../wasm/sandbox/messages.js'
import { exitStatusOf, stopped } from '../../wasm/sandbox/supervision.js'
import { decodeCall, encodeNumbers, FAILURE_BYTES, FRAME, OUTPUT_BYTES, VERB } from '../call-protocol.js'
import type { Signature } from '../signatures.js'
import { callBytes, callNumbers } from './call.js'
import type { Guard } from './guard.js'
import { Instance, WIZER_NAMES } from './instance.js'
import { CallOver, type OwnerChannel, OwnerGone } from './owner-channel.js'
import { RunOutput, runProgram } from './run.js'
import { type ComponentRun, performComponent } from './run-component.js'
import type { SharedParts } from './thread-messages.js'

/** What instances are made of. */
export interface InstanceParts extends Omit<SharedParts, 'files' | 'guard'> {
  readonly files: GuestFiles
  readonly guard: Guard
}

type NumberedCall = ReturnType<typeof decodeCall>

/** Longest piece of a message that is told. */
const MESSAGE_CHARACTERS = 8 * 1024

/** Answers the calls of a channel. */
export class CallServer {
  readonly #parts: InstanceParts
  readonly #channel: OwnerChannel
  readonly #exports: readonly (readonly [name: string, signature: Signature])[]
  /** What is kept from call to call, by number; 0 is the one that all calls share which name none. */
  readonly #kept = new Map<number, Instance>()
  /** Number of the instance whose call is under way. */
  #underway: number | null = null

  constructor(parts: InstanceParts, channel: OwnerChannel) {
    this.#parts = parts
    this.#channel = channel
    this.#exports = [...parts.functions.exports]
  }

  /**
   * Does so from the nonce on, until the owner is gone, or has said that a call is over: this thread must not be found reading then. It may be
   * interrupted in its guest, and serve again.
   */
  serve(nonce: Buffer): void {
    this.#forgetUnderway()
    try {
      this.#channel.synchronize(nonce)
      for (;;) {
        const { kind, bytes } = this.#channel.next()
        // It may come when the call has just been answered.
        if (kind === FRAME.over) return
        this.#answer(decodeCall(bytes))
      }
    } catch (error) {
      if (!(error instanceof OwnerGone) && !(error instanceof CallOver)) throw error
    }
  }

  #answer(call: NumberedCall): void {
    this.#underway = call.instance
    try {
      this.#channel.answer(call.number, this.#resultsOf(call))
      this.#underway = null
    } catch (error) {
      this.#forgetUnderway()
      if (error instanceof OwnerGone || error instanceof CallOver) throw error
      this.#fail(call.number, error)
    }
  }

  #resultsOf(call: NumberedCall): readonly Uint8Array[] {
    if (call.verb === VERB.run) return [this.#run(call)]
    if (call.verb === VERB.snapshot) return [this.#snapshotModule()]
    if (call.verb === VERB.open) this.#kept.set(call.instance, this.#open(call.number, this.#parts.start.limits.fuel ?? 0))
    else if (call.verb === VERB.close) this.#kept.delete(call.instance)
    else return this.#callAll(call)
    return []
  }

  /** What has failed, or was interrupted, may be left in any state. */
  #forgetUnderway(): void {
    if (this.#underway !== null) this.#kept.delete(this.#underway)
    this.#underway = null
  }

  #callAll({ number, verb, keeps, instance: which, function: place, inputs }: NumberedCall): Uint8Array[] {
    const [name, signature] = this.#exports[place] ?? ['', { parameters: [], results: [] }]
    const results: Uint8Array[] = []
    let left = this.#parts.start.outputBytes
    let fuel = this.#parts.start.limits.fuel ?? 0
    for (const [index, input] of inputs.entries()) {
      const kept = keeps ? this.#kept.get(which) : undefined
      if (kept === undefined && which !== 0) throw lost()
      if (kept !== undefined) kept.fuel = fuel
      const instance = kept ?? this.#open(number, fuel)
      if (keeps) this.#kept.set(which, instance)
      try {
        instance.number = number
        const result =
          verb === VERB.numbers
            ? callNumbers(instance, name, Buffer.from(input), signature)
            : callBytes(instance, name, input, { most: left, frees: keeps, isLast: index === inputs.length - 1 })
        left -= result.length
        fuel = instance.fuel
        results.push(result)
      } catch (error) {
        throw instance.failureOf(error, { function: name, ...(inputs.length > 1 ? { index } : {}) })
      }
    }
    if (this.#parts.fuel !== null) results.push(encodeNumbers(['f64'], [fuel]))
    return results
  }

  #snapshotModule(): Uint8Array {
    const { snapshot, original, start } = this.#parts
    if (snapshot === null || original === null || start.snapshot === null) throw new EngineError('INTERNAL', 'the plugin has no snapshot')
    const { init, program } = start.snapshot
    if (program !== null)
      throw new EngineError('NOT_BUILT', 'a snapshot within a program is no module: what goes on there is this plugin’s', {
        hint: 'Load the plugin with the same `snapshot` where it is wanted.',
      })
    return withState(original, snapshot, new Set(['_initialize', ...(init === null ? WIZER_NAMES : [init])]))
  }

  #open(number: number, fuel: number): Instance {
    const instance = new Instance(this.#parts, this.#channel, { args: ['plugin'], input: NO_BYTES, output: null, fuel })
    instance.number = number
    try {
      instance.open()
      instance.initialize()
    } catch (error) {
      throw instance.failureOf(error, { function: '_initialize' })
    }
    return instance
  }

  #run({ number, inputs: [args, input] }: NumberedCall): Buffer {
    const { outputBytes, limits } = this.#parts.start
    const send = (kind: number, bytes: Uint8Array): void => {
      for (let at = 0; at < bytes.length; at += OUTPUT_BYTES) this.#channel.send(kind, number, bytes.subarray(at, at + OUTPUT_BYTES))
    }
    const output = new RunOutput(outputBytes, send)
    const given = {
      args: JSON.parse(String(args)),
      input: input ?? NO_BYTES,
      output: { stdout: output.stream(FRAME.stdout), stderr: output.stream(FRAME.stderr) },
    }
    const started = performance.now()
    const status = exitStatusOf(this.#outcomeOf(number, given), limits, performance.now() - started)
    const exit = output.isExceeded
      ? stopped('limit', `it wrote more than ${outputBytes} bytes to stdout and stderr`, performance.now() - started)
      : status
    return Buffer.from(JSON.stringify({ event: 'exited', ...exit }))
  }

  #outcomeOf(number: number, given: ComponentRun): Outcome {
    const { component, start } = this.#parts
    if (component !== null) return performComponent(component, this.#parts, given)
    const instance = new Instance(this.#parts, this.#channel, { ...given, fuel: start.limits.fuel ?? 0 })
    instance.number = number
    return runProgram(instance)
  }

  #fail(number: number, error: unknown): void {
    const { code, message, hint, data } = failureOf(error)
    const told = { code, message: message.slice(0, MESSAGE_CHARACTERS), ...(hint === undefined ? {} : { hint }), data }
    const bytes = Buffer.from(JSON.stringify(told))
    if (bytes.length <= FAILURE_BYTES) this.#channel.send(FRAME.failure, number, bytes)
    else this.#fail(number, new EngineError(code, told.message))
  }
}

const NO_BYTES = new Uint8Array()

function lost(): EngineError {
  return new EngineError('INSTANCE_LOST', 'the instance is gone: a call of it failed, or its thread was ended', {
    hint: 'Make another with plugin.instance().',
  })
}
