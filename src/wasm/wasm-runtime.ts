import { createHash } from 'node:crypto'
import { lstatSync, mkdirSync, readFileSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Duplex } from 'node:stream'
import { afterCleanUp, EngineError } from '../errors.js'
import { fromUtf8 } from '../fs/names.js'
import { collectReceipt } from '../runtime/collect-receipt.js'
import type { ContainerFiles, FilesRequest } from '../runtime/container-files.js'
import { assertLimits, type Limits, type LimitWays } from '../runtime/limits.js'
import { findProgram, type Program } from '../runtime/magic.js'
import { type Delegation, groupOperations, ownGroups } from '../runtime/make-groups.js'
import { type OpenedObject, openObjects } from '../runtime/object-mounts.js'
import type { Receipt, WasmEvidence } from '../runtime/receipt.js'
import { openRunningTask, readGuest, recordGuest } from '../runtime/running-task.js'
import type { CreateRequest, ExecRequest, Prewarmed, RunEnd, RunningTask, Runtime, Task, UpdateRequest } from '../runtime/runtime.js'
import { isHostMount, withRealSources } from '../runtime/sources.js'
import type { ContainerSpec, Rootfs } from '../runtime/spec.js'
import { readEnd } from '../runtime/supervision.js'
import { assertUpdatable, updateGroups } from '../runtime/update-groups.js'
import type { WritableLayer } from '../runtime/writable-layer.js'
import { pidOf } from '../store/process-identity.js'
import { removeFolder } from '../store/remove-folder.js'
import { type NativeWall, NODE_FLAGS, noNativeWall, startDoubleWalled } from './double-wall.js'
import { changesInSandbox, readSandboxFile } from './file-session.js'
import { type Served, serveFileSystems } from './file-system-server.js'
import { assertModuleSize } from './module.js'
import { assertNoPrivileges } from './no-privileges.js'
import { assertNoResources } from './no-resources.js'
import { preparationMs, within } from './preparation.js'
import { assertPrewarmable, type BecomeResult, type LaterPieces, PrewarmedSandbox } from './prewarmed-sandbox.js'
import { prepareRecording } from './recording/recording-file.js'
import { RunningFiles } from './running-files.js'
import type { SandboxLayer, StartMessage } from './sandbox/protocol.js'
import { SandboxControl, type SandboxExit } from './sandbox-control.js'
import { parseEvent } from './sandbox-event.js'
import {
  assertNoGroups,
  assertSandboxGroups,
  sandboxDelegation,
  sandboxEvidence,
  sandboxGroups,
  wasmLimitWays,
  withoutGroups,
} from './sandbox-groups.js'
import { bindPath } from './sandbox-plan.js'
import { type SandboxProcess, startAlone } from './sandbox-process.js'
import {
  type BindPath,
  insideLayers,
  LAST_WORD_BYTES,
  layerBytes,
  layersOf,
  lazyNumber,
  ownFolder,
  prepared,
  type Started,
  saidPath,
  startBehindWall,
  wallPlan,
} from './sandbox-start.js'
import { sandboxLimits } from './start-message.js'
import { keepLeftUpper, keptLayers, type NewUpper, newUpper } from './uppers.js'
import { keepReceipt, startExec } from './wasm-exec.js'
import { WasmFiles } from './wasm-files.js'
import { killedStatus, statusOf, WasmTask } from './wasm-task.js'
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

const DIGEST_PIECE_BYTES = 1 << 20

/** The Wasm wall: WASI programs in V8, in a process of their own, behind the native wall where there is one. */
export class WasmRuntime implements Runtime {
  readonly name = 'wasm'
  readonly readsLazyLayers = true
  readonly #nativeWall: NativeWall
  readonly #preopens: 'all' | 'none'
  /** What has been settled to see whether something prewarmed fits, by the spec that it was settled for, until the container is created. */
  readonly #fitting = new WeakMap<ContainerSpec, Settled>()

  constructor({ nativeWall = 'auto', preopens = 'all' }: WasmRuntimeOptions = {}) {
    this.#nativeWall = nativeWall
    this.#preopens = preopens
  }

  async unavailable(): Promise<string | null> {
    return this.#nativeWall === 'required' ? noNativeWall() : null
  }

  accepts(spec: ContainerSpec, rootfs: Rootfs): boolean {
    return findProgram(spec, rootfs)?.kind === 'wasm'
  }

  async create(wanted: CreateRequest): Promise<Task> {
    const settled = this.#settledAlready(wanted) ?? this.#settle(wanted)
    const { request, program, delegated, ways } = settled
    const { id, directory, spec, rootfs } = request
    if (spec.recording !== undefined) prepareRecording(spec, spec.recording, digestOf(rootfs, program))
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
      const started: Started = warm ?? (await this.#startProcess(request, program, upper, delegated))
      sandbox = started.sandbox
      const files = sandbox.remote === null ? null : serve(sandbox.remote, request, objects)
      const receipt = warm?.receipt ?? collectReceipt({ container: id, wall: this.name, ...shared(sandbox, spec, ways), wasm: null })
      if (warm === null) await sandbox.execute()
      const control = warm?.control ?? new SandboxControl(sandbox.start, sandbox.control, started.message)
      const wasm = await within(control.ready, preparationMs(timeoutMs))
      recordGuest(own, { guest: sandbox.pid, ...(sandbox.holders ?? {}) })
      const outlives = request.supervision?.outlives === true
      const bounded = { ...receipt, limits: [...receipt.limits, ...started.evidence] }
      const digest = program.ino === null ? null : (warm?.moduleDigest ?? digestOf(rootfs, program))
      const whole = completed(bounded, wasm, digest, spec)
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
    const moduleDigest = digestOf(rootfs, program)
    return PrewarmedSandbox.start({
      id,
      folder,
      pieces: this.#laterPieces({ request, program, delegated }),
      piecesFor: (other) => {
        const settled = this.#settle(other)
        this.#fitting.set(other.spec, settled)
        return this.#laterPieces(settled)
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
  #laterPieces({ request, program, delegated }: Pick<Settled, 'request' | 'program' | 'delegated'>): LaterPieces {
    const { spec, directory } = request
    const upper = spec.ephemeral || spec.readonlyRootfs ? null : newUpper(ownFolder(directory))
    const stored = layersOf(request)
    const parts = prepared(request, program, upper, {
      layers: insideLayers(stored),
      layerBytes: layerBytes(stored),
      bindPath,
      sessions: null,
      preopens: this.#preopens,
      prewarmed: true,
    })
    return { parts, plan: wallPlan(request, stored, parts, delegated, { sessionsFolder: 'later', supervision: [] }) }
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

  /** The sandbox's own word, where it came to say one; else the launcher's. */
  async update({ directory, before, after }: UpdateRequest): Promise<void> {
    const running = readGuest(ownFolder(directory))
    const delegated = running === null ? sandboxDelegation(after) : ownGroups(pidOf(running.init))
    assertLimits(after.limits, this.name, wasmLimitWays(delegated))
    assertNoResources(withoutGroups(after.resources ?? {}))
    if (running !== null) assertSameParts(before.limits, after.limits)
    assertSandboxGroups(after, delegated)
    const wanted = sandboxGroups(after, delegated)
    if (running === null) {
      // Values are looked at as those of groups that will be made.
      groupOperations('update', wanted, delegated)
      return
    }
    const had = sandboxGroups(before, delegated)
    assertUpdatable(had, wanted)
    updateGroups(had, wanted, delegated)
  }

  async lastEnd(directory: string, { limits }: ContainerSpec): Promise<RunEnd | null> {
    const own = ownFolder(directory)
    const end = readEnd(own)
    if (end === null) return null
    const said = readSaid(own)
    if (said?.upperWhole) keepLeftUpper(own)
    const killed = {
      asked: null,
      timedOutAfterMs: end.reason === 'timeout' ? (limits.timeoutMs ?? 0) : null,
      durationMs: end.duration_ns / 1e6,
      memoryBytes: limits.memoryBytes ?? null,
    }
    return { exit: said === null ? killedStatus(end, killed) : statusOf(said), finishedAt: new Date(end.time) }
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
  async #startProcess(request: CreateRequest, program: Program, upper: NewUpper | null, delegated: Delegation): Promise<Started> {
    const stored = layersOf(request)
    const prepare = (layers: readonly SandboxLayer[], bindPath: BindPath, sessions: StartMessage['sessions'] | null) =>
      prepared(request, program, upper, {
        layers,
        layerBytes: layerBytes(stored),
        bindPath,
        sessions,
        preopens: this.#preopens,
        prewarmed: false,
      })
    const alone = (): Started => {
      assertPossibleAlone(request.spec)
      assertNoGroups(request.spec)
      const { message, start } = prepare(stored, (_place, source) => source, { folder: ownFolder(request.directory) })
      return { sandbox: startAlone(NODE_FLAGS, start), message, evidence: [] }
    }
    const walled = () => startBehindWall(request, stored, prepare(insideLayers(stored), bindPath, null), delegated)
    return startDoubleWalled(this.#nativeWall, request.spec, { walled, alone })
  }
}

/**
 * Answers a sandbox for its mounts of this process's objects, and for layers that come when they are read. Resolves when it asks no more and all
 * is given back.
 */
async function serve(stream: Duplex, { spec, rootfs }: CreateRequest, objects: readonly OpenedObject[]): Promise<void> {
  const served = new Map<number, Served>(
    objects.map(({ mount, fs }) => [spec.mounts.indexOf(mount), { fs, readonly: mount.readonly }] as const),
  )
  for (const [place, { lazy }] of rootfs.layers.entries()) if (lazy !== undefined) served.set(lazyNumber(spec, place), { contents: lazy })
  await serveFileSystems(stream, served)
  for (const { fs } of objects) fs.close()
}

/** Its last word; null for none, or for one that is none. */
function readSaid(folder: string): SandboxExit | null {
  try {
    // A guest that has broken out of V8 may have written more than anybody wants to read.
    if (statSync(saidPath(folder)).size > LAST_WORD_BYTES) return null
    const said = parseEvent(readFileSync(saidPath(folder), 'utf8').trimEnd())
    return said?.event === 'exited' ? said : null
  } catch {
    return null
  }
}

/** Refuses by name what this wall cannot give. */
function assertPossible(spec: ContainerSpec): void {
  const { network, mounts, privileges = {}, resources = {}, limits, deterministic, recording, process, wasiEngine } = spec
  assertNoPrivileges(privileges)
  assertNoResources(withoutGroups(resources))
  if (deterministic !== undefined) assertDeterministic({ mounts, process })
  if (wasiEngine === 'wasmer' && (limits.fuel !== undefined || deterministic !== undefined || recording !== undefined))
    throw new EngineError('NOT_BUILT', '--wasi-engine wasmer has neither fuel nor runs that are the same each time', {
      hint: 'Leave --wasi-engine out.',
    })
  if (wasiEngine === 'wasmer' && mounts.length > 0)
    throw new EngineError('NOT_BUILT', `--wasi-engine wasmer: it sees the container's root and no mounts (${mounts[0]?.destination})`, {
      hint: 'Leave --wasi-engine or the mounts out.',
    })
  if (network.mode !== 'none')
    throw new EngineError('NOT_BUILT', `--network ${network.mode}: programs of preview1 have no sockets`, {
      hint: 'Leave --network out for Wasm images.',
    })
  for (const mount of mounts.filter(isHostMount))
    if (lstatSync(mount.source, { throwIfNoEntry: false })?.isDirectory() === false)
      throw new EngineError('NOT_BUILT', `${mount.source} is not a directory, and the Wasm wall binds only directories`, {
        hint: 'Bind the directory that holds it.',
        data: { source: mount.source, destination: mount.destination },
      })
}

/** A deterministic run has nothing of the host's: not what others may change, and no line that ends when somebody types. */
function assertDeterministic({ mounts, process: { terminal } }: Pick<ContainerSpec, 'mounts' | 'process'>): void {
  const foreign = mounts.find((mount) => mount.type !== 'tmpfs')
  if (foreign !== undefined)
    throw new EngineError(
      'INVALID_ARGUMENT',
      `--deterministic: ${foreign.destination} is a mount from outside, which may change from run to run`,
      {
        hint: 'Put the files into the image, give them on stdin, or record the run: --record FILE.',
        data: { destination: foreign.destination },
      },
    )
  if (terminal)
    throw new EngineError('INVALID_ARGUMENT', '--deterministic and --tty: what a terminal gives depends on when somebody types', {
      hint: 'Leave -t out, or record the run: --record FILE.',
    })
}

/** Refuses by name what only a kernel's mount can give. */
function assertPossibleAlone({ mounts }: ContainerSpec): void {
  const shallow = mounts.find((mount) => mount.type === 'bind' && mount.recursive === false)
  if (shallow !== undefined)
    throw new EngineError(
      'UNSUPPORTED_BY_HOST',
      `${shallow.destination}: without a native wall a bind mount shows what is mounted below it`,
      {
        hint: 'Leave bind-recursive out.',
      },
    )
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

/** Refuses for a running guest what is a part of it since it was started. Throws CONFLICT. */
function assertSameParts({ cpus: _before, ...before }: Limits, { cpus: _after, ...after }: Limits): void {
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]) as Set<keyof typeof before>
  if ([...keys].every((key) => before[key] === after[key])) return
  throw new EngineError('CONFLICT', 'the limits of a Wasm program, but --cpus, are made part of it when it is started', {
    hint: 'Stop the container, update it, and start it again.',
  })
}

/**
 * The receipt with the engine's evidence. The module's digest is compared from outside: this process reads the same file of the
 * image for itself.
 */
function completed(receipt: Receipt, wasm: WasmEvidence, moduleDigest: string | null, spec: ContainerSpec): Receipt {
  const { process, limits, deterministic, recording } = spec
  const { env } = process
  const isReproducible = deterministic !== undefined || recording !== undefined
  const checks = {
    ...receipt.crossCheck,
    ...(moduleDigest === null ? {} : { moduleDigest: moduleDigest === wasm.moduleDigest }),
    environment: JSON.stringify(wasm.environment) === JSON.stringify(env),
    ...(limits.fuel === undefined ? {} : { fuel: wasm.instrumented?.includes('fuel') === true }),
    ...(isReproducible ? { canonicalNan: wasm.instrumented?.includes('canonical-nan') === true } : {}),
  }
  const failed = Object.entries(checks).filter(([, agrees]) => !agrees)
  if (failed.length > 0)
    throw new EngineError('SANDBOX_FAILED', `the sandbox shows something else than this process sees: ${failed.map(([name]) => name)}`)
  const { kernel } = receipt
  const doubleWall = kernel?.namespaces.user.isolated === true && kernel.seccomp.mode === 2
  return { ...receipt, doubleWall, wasm, crossCheck: checks }
}

/** Of the program's file in the image; empty for one in a mount. */
function digestOf(rootfs: Rootfs, { ino }: Program): string {
  if (ino === null) return ''
  const tree = rootfs.tree()
  const hash = createHash('sha256')
  const piece = new Uint8Array(DIGEST_PIECE_BYTES)
  for (let position = 0; ; ) {
    const count = tree.read(ino, piece, position)
    if (count === 0) return `sha256:${hash.digest('hex')}`
    hash.update(piece.subarray(0, count))
    position += count
  }
}
