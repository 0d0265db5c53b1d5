import { existsSync, mkdirSync, readFileSync, realpathSync } from 'node:fs'
import { totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { afterCleanUp, EngineError } from '../errors.js'
import { readTextFile } from '../fs/text-file.js'
import { type LaunchOptions, launch } from '../launcher/client.js'
import type { Holder } from '../launcher/holder.js'
import type { IdMap } from '../launcher/id-map.js'
import { chooseIdMap, idMapFor, ownIds } from '../launcher/id-map.js'
import { accountFiles, type EtcFile, etcFiles } from '../rootfs/etc-files.js'
import type { OverlayUpper } from '../rootfs/overlay.js'
import { diskUpper } from '../rootfs/overlay.js'
import { removeTrees } from '../rootfs/remove-tree.js'
import { ensureTrees } from '../rootfs/write-tree.js'
import { collectReceipt } from '../runtime/collect-receipt.js'
import type { ContainerFiles, FilesRequest } from '../runtime/container-files.js'
import { assertLimits } from '../runtime/limits.js'
import { findProgram } from '../runtime/magic.js'
import {
  assertGroups,
  type Delegation,
  delegation,
  groupOperations,
  groupViewOperations,
  joinGroups,
  ownGroups,
  sweepGroups,
  usesGroups,
} from '../runtime/make-groups.js'
import { openObjects } from '../runtime/object-mounts.js'
import { assertBounds, boundCircumstances } from '../runtime/process-bounds.js'
import { ownHardLimits, parseIdMap } from '../runtime/process-files.js'
import type { IdMapEvidence } from '../runtime/receipt.js'
import { assertNotReproducible } from '../runtime/reproducible.js'
import { openRunningTask, readGuest, recordGuest } from '../runtime/running-task.js'
import type { CreateRequest, ExecRequest, RunEnd, RunningTask, Runtime, Task, UpdateRequest } from '../runtime/runtime.js'
import { withRealSources } from '../runtime/sources.js'
import type { ContainerSpec, Rootfs } from '../runtime/spec.js'
import { readEnd, supervisionOperations } from '../runtime/supervision.js'
import { assertUpdatable, updateGroups } from '../runtime/update-groups.js'
import type { WritableLayer } from '../runtime/writable-layer.js'
import { identityOf, pidOf, startOf } from '../store/process-identity.js'
import { removeFolder } from '../store/remove-folder.js'
import { availability } from './availability.js'
import { exitStatus } from './exit-status.js'
import { guestFilter } from './filter.js'
import { withRealDevices } from './host-devices.js'
import { keptUpper } from './kept-upper.js'
import { LentObjects } from './lent-objects.js'
import { limitWays } from './limit-ways.js'
import { NativeFiles } from './native-files.js'
import { joinError, NativeTask } from './native-task.js'
import type { HostBounds } from './plan.js'
import { containerPlan, inodesFor, joinPlan, pages, readPlan } from './plan.js'
import { upperChanges } from './written.js'

/** Options of {@link NativeRuntime}. */
export interface NativeRuntimeOptions {
  /** The store's `trees` folder: layers as the kernel reads them. */
  readonly treesDirectory: string
  /** Ids of containers; the widest map this user may have when absent. */
  readonly idMap?: IdMap
  /** Who is asked for a range of ids and for memory; nobody when absent, so that each start stands alone. */
  readonly holder?: Holder | null
}

const TERMINAL_SIZE = { rows: 24, columns: 80 } as const

/** The native wall: Linux programs in unprivileged user namespaces. */
export class NativeRuntime implements Runtime {
  readonly name = 'native'
  readonly #trees: string
  readonly #idMap: IdMap
  readonly #holder: Holder | null
  readonly #home: string

  constructor({ treesDirectory, holder = null, idMap = chooseIdMap().map }: NativeRuntimeOptions) {
    this.#trees = treesDirectory
    this.#home = realPathOf(dirname(treesDirectory))
    this.#idMap = { ...idMap, holder }
    this.#holder = holder
  }

  async unavailable(): Promise<string | null> {
    return (await availability(this.#trees)).obstacle
  }

  accepts(spec: ContainerSpec, rootfs: Rootfs): boolean {
    const kind = findProgram(spec, rootfs)?.kind
    return kind === 'elf' || kind === 'script'
  }

  async create(request: CreateRequest): Promise<Task> {
    await this.#holder?.ensure(this.#idMap)
    try {
      return await this.#create(request, { onDisk: false })
    } catch (error) {
      // The holder has ended since it was looked for: nothing is lost but what can be made again.
      if (!(error instanceof EngineError) || error.data.operation !== 'holder-memory') throw error
      return await this.#create(request, { onDisk: true })
    }
  }

  async #create(request: CreateRequest, { onDisk }: { readonly onDisk: boolean }): Promise<Task> {
    const {
      id,
      directory,
      spec,
      rootfs,
      openStdin,
      keepStdin = false,
      terminalSize = TERMINAL_SIZE,
      supervision,
      signal,
      record,
      watch,
    } = request
    if (spec.wasiEngine !== undefined)
      throw new EngineError('NOT_BUILT', `--wasi-engine ${spec.wasiEngine}: the native wall runs no WASI modules`, {
        hint: 'Leave it out, or run a Wasm image.',
      })
    const filter = await guestFilter(spec)
    const inMemory = (spec.ephemeral || spec.readonlyRootfs) && (await availability(this.#trees)).upperInMemory
    const delegated: Delegation = usesGroups(spec) ? delegation() : new Map()
    const ways = limitWays(inMemory ? 'memory' : 'disk', delegated)
    assertLimits(spec.limits, this.name, ways)
    assertGroups(spec, delegated)
    if (spec.resources !== undefined) assertBounds(spec.resources, boundCircumstances())
    assertNotReproducible(spec, this.name)
    const idMap = this.#idMapOf(spec)
    const resolved = withRealDevices(withRealSources(spec), idMap)
    const host = this.#hostBounds()
    // What comes back is measured before any of it is written.
    const opened = openObjects(request, () => ({}))
    const layers = await ensureTrees({
      directory: this.#trees,
      idMap,
      layers: rootfs.layers,
      merged: () => rootfs.tree(),
      onDisk,
      ...(signal === undefined ? {} : { signal }),
    })
    const own = ownFolder(directory)
    const cleanUp = () => (spec.ephemeral ? this.discard(id, directory) : Promise.resolve())
    try {
      // What outlives this process is listened to from its beginning on, in a folder that is there.
      const isKnown = !inMemory || supervision?.outlives === true
      if (isKnown) {
        await record?.()
        mkdirSync(own, { recursive: true, mode: 0o700 })
      }
      const lent = opened.length === 0 ? null : new LentObjects(opened, spec)
      if (usesGroups(spec)) sweepGroups(delegated)
      const watching = watch === undefined ? null : await import('./watch.js')
      const plan = containerPlan({
        groups: groupOperations(id, spec, delegated),
        groupView: groupViewOperations(spec, delegated),
        spec: resolved,
        idMap,
        root: { ...layers, upper: inMemory ? memoryUpper(spec, host) : diskUpper(own, rootMode(rootfs)) },
        etcFiles: [
          ...etcFiles({ hostname: spec.hostname, network: spec.network.mode, extraHosts: spec.extraHosts }),
          ...keptAccount(spec, rootfs),
        ],
        openStdin,
        keepStdin,
        supervision: [
          ...supervisionOperations(own, supervision),
          ...(watching === null || watch === undefined ? [] : [watching.watchOperation(watch, spec)]),
        ],
        terminalSize,
        host,
        ...(lent === null ? {} : { trees: lent.mounts }),
      })
      const launcher = launch(plan, {
        stdio: stdioEnds({ openStdin, terminal: spec.process.terminal, outlives: supervision?.outlives === true }),
        ...filter.launch,
        ...(lent === null ? {} : { descriptors: lent.descriptors }),
        ...(signal === undefined ? {} : { signal }),
      })
      lent?.follow(launcher)
      try {
        // Known to others while the launcher works: that costs as much as what it does.
        if (!isKnown) await record?.()
        const { created, receipt: texts } = await launcher.ready
        const outer = outerMap(created.holder)
        const receipt = collectReceipt({
          container: id,
          wall: this.name,
          kernel: { pid: created.guest, texts, outer },
          wasm: null,
          seccompProfile: filter.profile,
          limits: spec.limits,
          ways,
        })
        mkdirSync(own, { recursive: true, mode: 0o700 })
        const { supervisor } = recordGuest(own, { guest: created.guest, init: created.pid, supervisor: launcher.pid, outer })
        return new NativeTask({
          launcher,
          supervisor,
          folder: own,
          joins: false,
          pid: created.guest,
          spec,
          receipt,
          lent,
          cleanUp,
          ...(watch === undefined ? {} : { watch }),
        })
      } catch (error) {
        launcher.kill()
        await launcher.exited.catch(() => {})
        throw lent?.failure ?? error
      }
    } catch (error) {
      throw await afterCleanUp(error, cleanUp)
    }
  }

  async open(_id: string, directory: string): Promise<RunningTask | null> {
    return openRunningTask(ownFolder(directory))
  }

  async readFile(directory: string, _spec: ContainerSpec, path: string, maximumBytes: number): Promise<Buffer> {
    const launcher = launch(readPlan({ init: initOf(ownFolder(directory)), path, maximumBytes }), { descriptors: ['pipe'] })
    const [stream] = launcher.streams
    const bytes = stream === null || stream === undefined ? Promise.resolve(Buffer.alloc(0)) : buffer(stream)
    await launcher.done
    return bytes
  }

  async exec({
    id,
    directory,
    spec,
    process: program,
    openStdin,
    terminalSize = TERMINAL_SIZE,
    outlives,
    endRecord,
  }: ExecRequest): Promise<Task> {
    const own = ownFolder(directory)
    const filter = await guestFilter(spec)
    // Output and time are limits of the container's own program.
    const { outputBytes: _output, timeoutMs: _time, diskBytes: _disk, ...limits } = spec.limits
    const joined: ContainerSpec = { ...spec, process: program, limits }
    const plan = joinPlan({
      groups: usesGroups(joined) ? joinGroups(initOf(own).pid) : [],
      spec: joined,
      idMap: this.#idMapOf(spec),
      init: initOf(own),
      openStdin,
      supervision: [...(outlives ? [['outlive'] as const] : []), ...(endRecord === null ? [] : [['end-record', endRecord] as const])],
      terminalSize,
      host: this.#hostBounds(),
    })
    const launcher = launch(plan, {
      stdio: stdioEnds({ openStdin, terminal: program.terminal, outlives }),
      ...filter.launch,
    })
    try {
      const { created, receipt: texts } = await launcher.ready
      const kernel = { pid: created.guest, texts, outer: readGuest(own)?.outer ?? null }
      // Whoever joins may stand where nothing is delegated: the groups are there, and the kernel is asked what they hold.
      const ways = { ...limitWays('disk', new Map()), memoryBytes: 'cgroup', cpus: 'cgroup' } as const
      const receipt = collectReceipt({ container: id, wall: this.name, kernel, wasm: null, seccompProfile: filter.profile, limits, ways })
      return new NativeTask({
        launcher,
        supervisor: launcher.pid === undefined ? null : identityOf(launcher.pid),
        folder: own,
        joins: true,
        pid: created.guest,
        spec: joined,
        receipt,
        lent: null,
        cleanUp: async () => {},
      })
    } catch (error) {
      launcher.kill()
      await launcher.exited.catch(() => {})
      throw joinError(error, own)
    }
  }

  async update({ directory, before, after }: UpdateRequest): Promise<void> {
    const running = readGuest(ownFolder(directory))
    const delegated = running !== null ? ownGroups(pidOf(running.init)) : usesGroups(after) ? delegation() : new Map()
    if (running !== null) assertUpdatable(before, after)
    assertLimits(after.limits, this.name, limitWays(after.limits.diskBytes === undefined ? 'disk' : 'memory', delegated))
    assertGroups(after, delegated)
    if (running === null) {
      // Values are looked at as those of groups that will be made.
      groupOperations('update', after, delegated)
    } else updateGroups(before, after, delegated)
  }

  async lastEnd(directory: string, { limits }: ContainerSpec): Promise<RunEnd | null> {
    const end = readEnd(ownFolder(directory))
    return end === null ? null : { exit: exitStatus(end, limits), finishedAt: new Date(end.time) }
  }

  async written(directory: string, spec: ContainerSpec, rootfs: Rootfs): Promise<WritableLayer | null> {
    const upper = keptUpper(directory)
    // Where there is nothing on disk, it has not run, or cannot write, or writes into memory.
    if (existsSync(upper)) return upperChanges(this.#idMapOf(spec), upper, rootfs.tree())
    return readGuest(ownFolder(directory)) === null || spec.readonlyRootfs ? { changes: [], bytes: 0 } : null
  }

  files(request: FilesRequest): ContainerFiles {
    return new NativeFiles({ treesDirectory: this.#trees, idMap: this.#idMapOf(request.spec), host: this.#hostBounds(), request })
  }

  #idMapOf({ privileges }: ContainerSpec): IdMap {
    return idMapFor(this.#idMap, privileges?.keepId)
  }

  /** What the host gives at most, and what of it no guest is to see. */
  #hostBounds(): HostBounds {
    const hard = ownHardLimits()
    return {
      openFiles: hard['Max open files'] ?? -1,
      processes: hard['Max processes'] ?? -1,
      tmpfsBytes: pages(totalmem() / 4),
      home: this.#home,
    }
  }

  async discard(_id: string, directory: string): Promise<void> {
    const own = ownFolder(directory)
    // Looked for first, here and below: of most containers nothing is left, and a call that fails costs ten times a look.
    if (!existsSync(own)) return
    // Only these two can hold what is not the user's own.
    await removeTrees(
      this.#idMap,
      [join(own, 'upper'), join(own, 'work')].filter((path) => existsSync(path)),
    )
    removeFolder(own)
  }
}

function realPathOf(path: string): string {
  return existsSync(path) ? realpathSync(path) : path
}

/** The wall's part of a container's folder. */
function ownFolder(directory: string): string {
  return join(directory, 'native')
}

/** The first process of a running container. Throws CONFLICT when there is none. */
function initOf(own: string): { readonly pid: number; readonly start: string } {
  const running = readGuest(own)
  if (running === null) throw new EngineError('CONFLICT', 'the container is not running')
  return { pid: pidOf(running.init), start: startOf(running.init) }
}

/** A guest sees the ids of the user namespace that its own is in; those of the host are told by that one's map. */
function outerMap(holder: number | null): IdMapEvidence | null {
  if (holder === null) return null
  const read = (file: string) => parseIdMap(readFileSync(`/proc/${holder}/${file}`, 'utf8'))
  try {
    return { uid: read('uid_map'), gid: read('gid_map') }
  } catch (cause) {
    throw new EngineError('LAUNCHER_FAILED', 'the holder has ended while the container was made', {
      cause,
      data: { operation: 'holder-memory' },
    })
  }
}

/** This process's ends of the guest's stdio. */
function stdioEnds({
  openStdin,
  terminal,
  outlives,
}: {
  openStdin: boolean
  terminal: boolean
  outlives: boolean
}): NonNullable<LaunchOptions['stdio']> {
  if (outlives) return ['ignore', 'ignore', 'ignore']
  return [openStdin ? 'pipe' : 'ignore', 'pipe', terminal ? 'ignore' : 'pipe']
}

/** Lines of /etc/passwd and /etc/group for who keeps his ids. */
function keptAccount({ privileges }: ContainerSpec, rootfs: Rootfs): readonly EtcFile[] {
  if (privileges?.keepId === undefined) return []
  const { name } = ownIds()
  return accountFiles({ ...privileges.keepId, name }, (path, maximumBytes) => readTextFile(rootfs.tree(), path, maximumBytes))
}

function memoryUpper({ limits }: ContainerSpec, { tmpfsBytes }: HostBounds): OverlayUpper {
  const bytes = limits.diskBytes === undefined ? tmpfsBytes : pages(limits.diskBytes)
  return { kind: 'memory', bytes, inodes: inodesFor(bytes) }
}

function rootMode(rootfs: Rootfs): number {
  const tree = rootfs.tree()
  return tree.stat(tree.root).mode
}
