import { mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { afterCleanUp, EngineError } from '../errors.js'
import { fromUtf8 } from '../fs/names.js'
import { collectReceipt } from '../runtime/collect-receipt.js'
import type { ContainerFiles, FilesRequest } from '../runtime/container-files.js'
import { assertLimits, type LimitWays } from '../runtime/limits.js'
import { findProgram, type Program } from '../runtime/magic.js'
import type { Delegation } from '../runtime/make-groups.js'
import { openObjects } from '../runtime/object-mounts.js'
import { openRunningTask, recordGuest } from '../runtime/running-task.js'
import type { CreateRequest, ExecRequest, Prewarmed, RunEnd, RunningTask, Runtime, Task, UpdateRequest } from '../runtime/runtime.js'
import { withRealSources } from '../runtime/sources.js'
import type { ContainerSpec, Rootfs } from '../runtime/spec.js'
import type { WritableLayer } from '../runtime/writable-layer.js'
import { removeFolder } from '../store/remove-folder.js'
import { type NativeWall, NODE_FLAGS, noNativeWall, startDoubleWalled } from './double-wall.js'
import { completedReceipt } from './engine-receipt.js'
import { changesInSandbox, readSandboxFile } from './file-session.js'
import { type KeptComponent, KeptComponents } from './kept-components.js'
import { lastEndIn } from './last-end.js'
import { assertModuleSize } from './module.js'
import { assertPossible, assertPossibleAlone } from './possible-spec.js'
import { preparationMs, within } from './preparation.js'
import { assertPrewarmable, type BecomeResult, type LaterPieces, PrewarmedSandbox } from './prewarmed-sandbox.js'
import { moduleDigestOf } from './program-digest.js'
import { prepareRecording } from './recording/recording-file.js'
import { RunningFiles } from './running-files.js'
import type { SandboxLayer } from './sandbox/protocol.js'
import { SandboxControl } from './sandbox-control.js'
import { assertNoGroups, assertSandboxGroups, sandboxDelegation, sandboxEvidence, sandboxGroups, wasmLimitWays } from './sandbox-groups.js'
import { bindPath, TRANSPILED_PATH } from './sandbox-plan.js'
import { type SandboxProcess, startAlone } from './sandbox-process.js'
import {
  insideLayers,
  layerBytes,
  layersOf,
  ownFolder,
  type PreparedOptions,
  prepared,
  type Started,
  saidPath,
  startBehindWall,
  wallPlan,
} from './sandbox-start.js'
import { serveMounts } from './served-mounts.js'
import { sandboxLimits } from './start-message.js'
import { updateSandbox } from './update-sandbox.js'
import { keptLayers, type NewUpper, newUpper } from './uppers.js'
import { keepReceipt, startExec } from './wasm-exec.js'
import { WasmFiles } from './wasm-files.js'
import { WasmTask } from './wasm-task.js'
import { keptChanges } from './written.js'

/** Options of {@link WasmRuntime}. */
export interface WasmRuntimeOptions {
  /**
   * Whether the sandbox stands behind the native wall: `auto` where this host can make one, `required` or not at all, `never` for
   * tests and hosts that are a wall themselves. The receipt says which it was (`doubleWall`).
   */
  readonly nativeWall?: NativeWall
  /** `none`: guests are given no directory, not even their root, and compute with arguments, environment and stdio alone. */
  readonly preopens?: 'all' | 'none'
}

/** The Wasm wall: WASI programs in V8, in a process of their own, behind the native wall where there is one. */
export class WasmRuntime implements Runtime {
  readonly name = 'wasm'
  readonly readsLazyLayers = true
  readonly #nativeWall: NativeWall
  readonly #preopens: 'all' | 'none'
  readonly #components: KeptComponents
  /** What has been settled to see whether something prewarmed fits, by the spec that it was settled for, until the container is created. */
  readonly #fitting = new WeakMap<ContainerSpec, Settled>()

  constructor({ nativeWall = 'auto', preopens = 'all' }: WasmRuntimeOptions = {}) {
    this.#nativeWall = nativeWall
    this.#preopens = preopens
    this.#components = new KeptComponents(nativeWall)
  }

  async unavailable(): Promise<string | null> {
    return this.#nativeWall === 'required' ? noNativeWall() : null
  }

  accepts(spec: ContainerSpec, rootfs: Rootfs): boolean {
    return findProgram(spec, rootfs)?.kind === 'wasm'
  }

  async create(wanted: CreateRequest): Promise<Task> {
    const settled = this.#settledAlready(wanted) ?? this.#settle(wanted)
    const { request, program, ways } = settled
    const { id, directory, spec, rootfs } = request
    if (spec.recording !== undefined) prepareRecording(spec, spec.recording, moduleDigestOf(rootfs, program))
    const { timeoutMs = null } = spec.limits
    const objects = openObjects(request)
    const own = ownFolder(directory)
    const cleanUp = () => (spec.ephemeral ? this.discard(id, directory) : Promise.resolve())
    await request.record?.()
    mkdirSync(own, { recursive: true, mode: 0o700 })
    const upper = spec.ephemeral || spec.readonlyRootfs ? null : newUpper(own)
    let sandbox: SandboxProcess | undefined
    try {
      const warm = await this.#become(settled, upper)
      const component = warm === null ? await this.#components.ensure(request, program) : null
      const started: Started = warm ?? (await this.#startProcess(settled, upper, component))
      sandbox = started.sandbox
      const files = sandbox.remote === null ? null : serveMounts(sandbox.remote, request, objects)
      const receipt = warm?.receipt ?? collectReceipt({ container: id, wall: this.name, ...shared(sandbox, spec, ways), wasm: null })
      if (warm === null) await sandbox.execute()
      const control = warm?.control ?? new SandboxControl(sandbox.start, sandbox.control, started.message)
      const wasm = await within(control.ready, preparationMs(timeoutMs))
      recordGuest(own, { guest: sandbox.pid, ...(sandbox.holders ?? {}) })
      const outlives = request.supervision?.outlives === true
      const bounded = { ...receipt, limits: [...receipt.limits, ...started.evidence] }
      const digest = program.ino === null ? null : (warm?.moduleDigest ?? component?.digest ?? moduleDigestOf(rootfs, program))
      const whole = completedReceipt(bounded, wasm, digest, spec)
      keepReceipt(own, whole)
      return new WasmTask({ sandbox, control, timeoutMs, upper, folder: own, outlives, receipt: whole, files, cleanUp })
    } catch (error) {
      sandbox?.kill()
      await sandbox?.ended.catch(() => {})
      throw await afterCleanUp(error, () => upper?.discard(), cleanUp)
    }
  }

  async prewarm(wanted: CreateRequest): Promise<Prewarmed> {
    const { request, program, delegated, ways } = this.#settle(wanted)
    const { id, directory, spec, rootfs } = request
    assertPrewarmable(request, program, this.#nativeWall === 'never' ? 'this wall is told to stand alone' : noNativeWall())
    const folder = dirname(directory)
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const component = await this.#components.ensure(request, program)
    const moduleDigest = component?.digest ?? moduleDigestOf(rootfs, program)
    return PrewarmedSandbox.start({
      id,
      folder,
      pieces: this.#laterPieces({ request, program, delegated }, component),
      // Of the same layers and program, or it does not fit for these.
      piecesFor: (other) => {
        const settled = this.#settle(other)
        this.#fitting.set(other.spec, settled)
        return this.#laterPieces(settled, component)
      },
      receiptOf: (sandbox, of, early) =>
        collectReceipt({ container: id, wall: this.name, ...shared(sandbox, of, ways), wasm: null, ...(early === null ? {} : { early }) }),
      evidenceOf: (sandbox, of) => sandboxEvidence(sandboxGroups(of, delegated), sandbox.pid),
      spec,
      moduleDigest,
    })
  }

  /** The sandbox that was made for such a container, which it is from now on; null without one, or when that has died. */
  async #become({ request }: Settled, upper: NewUpper | null): Promise<BecomeResult | null> {
    const { prewarmed, spec, directory, supervision, signal } = request
    if (!(prewarmed instanceof PrewarmedSandbox)) return null
    return prewarmed.become(spec, {
      folder: ownFolder(directory),
      upperPath: upper?.path ?? null,
      endPath: saidPath(ownFolder(directory)),
      supervision,
      signal,
    })
  }

  /** What a sandbox that is nobody's yet is made of, for a container like this. */
  #laterPieces(
    { request, program, delegated }: Pick<Settled, 'request' | 'program' | 'delegated'>,
    component: KeptComponent | null,
  ): LaterPieces {
    const { spec, directory } = request
    const upper = spec.ephemeral || spec.readonlyRootfs ? null : newUpper(ownFolder(directory))
    const stored = layersOf(request)
    const transpiled = component?.path ?? null
    const parts = prepared(request, program, upper, {
      layers: insideLayers(stored),
      layerBytes: layerBytes(stored),
      bindPath,
      transpiled: transpiled === null ? null : TRANSPILED_PATH,
      sessions: null,
      preopens: this.#preopens,
      prewarmed: true,
    })
    return { parts, plan: wallPlan(request, stored, parts, delegated, { sessionsFolder: 'later', supervision: [], transpiled }) }
  }

  /** What {@link Prewarmed.fits} has settled a moment ago for this very container; null for one that it was not asked of. */
  #settledAlready(wanted: CreateRequest): Settled | null {
    const settled = this.#fitting.get(wanted.spec)
    this.#fitting.delete(wanted.spec)
    if (settled === undefined || wanted.prewarmed === undefined || settled.request.rootfs !== wanted.rootfs) return null
    return { ...settled, request: { ...wanted, spec: settled.request.spec } }
  }

  /** Refuses by name what this wall or this host cannot do, and finds the program. */
  #settle(wanted: CreateRequest): Settled {
    const request = { ...wanted, spec: withRealSources(wanted.spec) }
    const { spec, rootfs } = request
    const delegated = sandboxDelegation(spec)
    const ways = wasmLimitWays(delegated)
    assertLimits(spec.limits, this.name, ways)
    assertPossible(spec)
    assertSandboxGroups(spec, delegated)
    if (wanted.watch !== undefined)
      throw new EngineError('NOT_BUILT', 'a Wasm program makes no system calls that a filter could refuse, so there are none to tell of', {
        hint: 'Leave out --why; `wolffia learn` is for native programs. What a module may do is what it is given.',
      })
    const program = findProgram(spec, rootfs)
    if (program === null) throw new EngineError('COMMAND_NOT_FOUND', `${spec.process.args[0]} does not exist in the container`)
    if (program.ino !== null) assertModuleSize(rootfs.tree().stat(program.ino).size)
    return { request, program, delegated, ways }
  }

  async open(_id: string, directory: string): Promise<RunningTask | null> {
    return openRunningTask(ownFolder(directory))
  }

  readFile(directory: string, _spec: ContainerSpec, path: string, maximumBytes: number): Promise<Buffer> {
    return readSandboxFile(ownFolder(directory), fromUtf8(path), maximumBytes)
  }

  async exec(request: ExecRequest): Promise<Task> {
    if (request.spec.wasiEngine === 'wasmer')
      throw new EngineError('NOT_BUILT', '--wasi-engine wasmer: it runs one program in a container', {
        hint: 'Make the container without --wasi-engine.',
      })
    return startExec(ownFolder(request.directory), request)
  }

  async update({ directory, before, after }: UpdateRequest): Promise<void> {
    updateSandbox(ownFolder(directory), before, after)
  }

  async lastEnd(directory: string, { limits }: ContainerSpec): Promise<RunEnd | null> {
    return lastEndIn(ownFolder(directory), limits)
  }

  async written(directory: string, spec: ContainerSpec, rootfs: Rootfs): Promise<WritableLayer | null> {
    const own = ownFolder(directory)
    try {
      if (openRunningTask(own) !== null && !spec.readonlyRootfs) return await changesInSandbox(own)
    } catch (error) {
      if (!(error instanceof EngineError) || error.code !== 'CONFLICT') throw error
      // Paused: only it knows. Or it has just ended, and what it left is there.
      if (openRunningTask(own) !== null) return null
    }
    return keptChanges(rootfs.layers, keptLayers(own))
  }

  files(request: FilesRequest): ContainerFiles {
    const own = ownFolder(request.directory)
    if (openRunningTask(own) === null) return new WasmFiles(request, own)
    const bytes = (layers: readonly Pick<SandboxLayer, 'tarPath'>[]) => layers.reduce((sum, { tarPath }) => sum + statSync(tarPath).size, 0)
    const kept = bytes(keptLayers(own))
    return new RunningFiles(own, kept + sandboxLimits(request.spec, kept + bytes(request.rootfs.layers)).upperBytes)
  }

  async discard(_id: string, directory: string): Promise<void> {
    removeFolder(ownFolder(directory))
  }

  /** Behind the native wall if there is one; else alone, unless that was ruled out. */
  async #startProcess({ request, program, delegated }: Settled, upper: NewUpper | null, component: KeptComponent | null): Promise<Started> {
    const stored = layersOf(request)
    const transpiled = component?.path ?? null
    const prepare = (of: Pick<PreparedOptions, 'layers' | 'bindPath' | 'sessions' | 'transpiled'>) =>
      prepared(request, program, upper, {
        ...of,
        layerBytes: layerBytes(stored),
        preopens: this.#preopens,
        prewarmed: false,
      })
    const alone = (): Started => {
      assertPossibleAlone(request.spec)
      assertNoGroups(request.spec)
      const { message, start } = prepare({
        layers: stored,
        bindPath: (_place, source) => source,
        sessions: { folder: ownFolder(request.directory) },
        transpiled,
      })
      return { sandbox: startAlone(NODE_FLAGS, start), message, evidence: [] }
    }
    const inside = { layers: insideLayers(stored), bindPath, sessions: null, transpiled: transpiled === null ? null : TRANSPILED_PATH }
    const walled = () => startBehindWall(request, stored, prepare(inside), delegated, transpiled)
    return startDoubleWalled(this.#nativeWall, request.spec, { walled, alone })
  }
}

interface Settled {
  readonly request: CreateRequest
  readonly program: Program
  readonly delegated: Delegation
  readonly ways: LimitWays
}

function shared({ kernel }: SandboxProcess, { limits }: ContainerSpec, ways: LimitWays) {
  return { kernel, limits, ways }
}
