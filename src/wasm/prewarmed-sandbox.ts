import { mkdirSync } from 'node:fs'
import { EngineError } from '../errors.js'
import { seccompAsset } from '../launcher/installation.js'
import type { Plan } from '../launcher/operations.js'
import { encodePlan } from '../launcher/protocol.js'
import type { Program } from '../runtime/magic.js'
import type { LimitEvidence, Receipt } from '../runtime/receipt.js'
import type { CreateRequest, Prewarmed, Supervision } from '../runtime/runtime.js'
import type { ContainerSpec } from '../runtime/spec.js'
import { supervisionOperations } from '../runtime/supervision.js'
import { preparationMs, within } from './preparation.js'
import { UPPER_DESCRIPTOR } from './sandbox/protocol.js'
import { SandboxControl } from './sandbox-control.js'
import { bindingOperation, namingOperation } from './sandbox-plan.js'
import { type SandboxProcess, startWalled } from './sandbox-process.js'
import type { Prepared, Started } from './sandbox-start.js'

/** What a sandbox is made of that is nobody's yet. */
export interface LaterPieces {
  readonly parts: Prepared
  readonly plan: Plan
}

/** What {@link PrewarmedSandbox.start} needs. */
export interface PrewarmedParts {
  readonly id: string
  /** Where its files are made, which have no names yet. */
  readonly folder: string
  readonly pieces: LaterPieces
  /** The same for a container that may become it. Throws for one that cannot be made. */
  readonly piecesFor: (request: CreateRequest) => LaterPieces
  /** `early`: what it gave before Node ran; null as long as it does not. */
  readonly receiptOf: (sandbox: SandboxProcess, spec: ContainerSpec, early: Receipt | null) => Receipt
  readonly evidenceOf: (sandbox: SandboxProcess, spec: ContainerSpec) => readonly LimitEvidence[]
  readonly spec: ContainerSpec
  readonly moduleDigest: string
}

/** Where what a sandbox has becomes a container's. */
export interface BecomePlace {
  /** The wall's part of the container's folder. */
  readonly folder: string
  readonly upperPath: string | null
  readonly endPath: string
  readonly supervision: Supervision | undefined
  readonly signal: AbortSignal | undefined
}

/** A sandbox that has become a container's and is about to say `ready`. */
export interface BecomeResult extends Started {
  readonly control: SandboxControl
  readonly receipt: Receipt
  readonly moduleDigest: string
}

/**
 * A sandbox process that has come as far as it can without knowing for whom: behind its wall, its files made, its thread up, its module compiled.
 * It is nobody's: nothing of it is on disk (its files have no names), nothing is written down at its end, and it ends with this process. It can
 * become one container, of the same plan and start message byte for byte, but for the program's words; it is never used again.
 */
export class PrewarmedSandbox implements Prewarmed {
  readonly id: string
  readonly ended: Promise<void>
  readonly #parts: PrewarmedParts
  readonly #sandbox: SandboxProcess
  readonly #control: SandboxControl
  readonly #early: Receipt
  readonly #fingerprint: string
  #isOver = false

  private constructor(parts: PrewarmedParts, sandbox: SandboxProcess, control: SandboxControl, early: Receipt) {
    this.id = parts.id
    this.#parts = parts
    this.#sandbox = sandbox
    this.#control = control
    this.#early = early
    this.#fingerprint = fingerprint(parts.pieces)
    this.ended = sandbox.ended.then(
      () => {},
      () => {},
    )
    this.ended.then(() => {
      this.#isOver = true
    })
  }

  /** Starts one. Resolves when it waits to be told whose it is. */
  static async start(parts: PrewarmedParts): Promise<PrewarmedSandbox> {
    const { folder, spec } = parts
    const { message, start } = parts.pieces.parts
    const { signal: _signal, ...given } = start
    const sandbox = await startWalled(parts.pieces.plan, seccompAsset() ?? '', { ...given, later: { folder } })
    try {
      // All of it, as of any sandbox before its first instruction.
      const early = parts.receiptOf(sandbox, spec, null)
      await sandbox.execute()
      const control = new SandboxControl(sandbox.start, sandbox.control, message)
      await within(control.warm, preparationMs(spec.limits.timeoutMs ?? null))
      return new PrewarmedSandbox(parts, sandbox, control, early)
    } catch (error) {
      sandbox.kill()
      await sandbox.ended.catch(() => {})
      throw error
    }
  }

  fits(request: CreateRequest): boolean {
    if (this.#isOver) return false
    try {
      return fingerprint(this.#parts.piecesFor(request)) === this.#fingerprint
    } catch {
      // A cold start says why.
      return false
    }
  }

  /**
   * Makes it a container's, whose folder is there. Null when it has died, and is as if it had never been. Rejects with ABORTED, and with LAUNCHER_FAILED
   * when the kernel no longer shows what it showed.
   */
  async become(spec: ContainerSpec, place: BecomePlace): Promise<BecomeResult | null> {
    if (this.#isOver) return null
    this.#isOver = true
    const sandbox = this.#sandbox
    const { signal } = place
    const abort = () => sandbox.kill()
    signal?.addEventListener('abort', abort, { once: true })
    sandbox.ended.catch(() => {}).then(() => signal?.removeEventListener('abort', abort))
    try {
      if (signal?.aborted) throw new EngineError('ABORTED', 'stopped by the caller', { cause: signal.reason })
      const { args, env } = spec.process
      this.#control.become({ args, env })
      // While it answers. Of one that is gone it says nothing.
      const seen = outcomeOf(() => this.#receipt(spec))
      // Before anything of it is on disk.
      if (!(await this.#isReady())) {
        if (signal?.aborted) throw new EngineError('ABORTED', 'stopped by the caller', { cause: signal.reason })
        return null
      }
      const receipt = seen()
      await this.#begin(place)
      const { message } = this.#parts.pieces.parts
      const evidence = this.#parts.evidenceOf(sandbox, spec)
      return { sandbox, message, evidence, control: this.#control, receipt, moduleDigest: this.#parts.moduleDigest }
    } catch (error) {
      await this.close()
      throw error
    }
  }

  async close(): Promise<void> {
    this.#isOver = true
    this.#sandbox.kill()
    await this.ended
  }

  /** What was seen of it before its first instruction, and all that can be seen of it still. */
  #receipt(spec: ContainerSpec): Receipt {
    const now = this.#parts.receiptOf(this.#sandbox, spec, this.#early)
    return { ...now, crossCheck: { ...this.#early.crossCheck, ...now.crossCheck } }
  }

  async #isReady(): Promise<boolean> {
    try {
      await this.#control.ready
      return true
    } catch {
      await this.close()
      return false
    }
  }

  async #begin({ folder, upperPath, endPath, supervision }: BecomePlace): Promise<void> {
    const { endDescriptor } = this.#parts.pieces.parts.message
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    await this.#sandbox.begin([
      ...supervisionOperations(folder, supervision),
      bindingOperation(folder),
      ...(upperPath === null ? [] : [namingOperation(UPPER_DESCRIPTOR, upperPath)]),
      ...(endDescriptor === null ? [] : [namingOperation(endDescriptor, endPath)]),
    ])
  }
}

/** Does it now; what is given back gives its value, or throws what it threw. */
function outcomeOf<Value>(action: () => Value): () => Value {
  try {
    const value = action()
    return () => value
  } catch (error) {
    return () => {
      throw error
    }
  }
}

/** All that two sandboxes must have in common for one to stand in for the other: everything but their programs' words. */
function fingerprint({ parts: { message, start }, plan }: LaterPieces): string {
  const { args: _args, env: _env, ...told } = message
  const { openStdin, terminal, outlives, asksRemote } = start
  return JSON.stringify([told, { openStdin, terminal, outlives, asksRemote }, encodePlan(plan).toString('latin1')])
}

/** Refuses by name what cannot be made before there is a container. */
export function assertPrewarmable({ spec, rootfs, supervision }: CreateRequest, { ino }: Program, noWall: string | null): void {
  if (noWall !== null)
    throw new EngineError('UNSUPPORTED_BY_HOST', `prewarming needs the launcher of the native wall, and there is none: ${noWall}`, {
      hint: 'Containers start without it; see wolffia doctor.',
    })
  const foreign = spec.mounts.find(({ type }) => type === 'fs')
  const why =
    foreign !== undefined
      ? `${foreign.destination} is a file system of this process, which only a container has`
      : rootfs.layers.some(({ lazy }) => lazy !== undefined)
        ? 'its image is still to come'
        : spec.recording !== undefined
          ? 'a recording is one run’s'
          : ino === null
            ? 'its program is in a mount, and may change'
            : supervision?.outlives === true
              ? 'it ends with this process'
              : null
  if (why !== null) throw new EngineError('INVALID_ARGUMENT', `no container can be prewarmed for this: ${why}`)
}
