import { afterCleanUp, EngineError } from '../errors.js'
import { expandWords } from '../image/expand.js'
import type { Image } from '../image/image.js'
import type { Digest } from '../oci/digest.js'
import type { Platform } from '../oci/platform.js'
import { findProgram } from '../runtime/magic.js'
import { assertMayOutlive } from '../runtime/object-mounts.js'
import { assertRequirements, parseRequirements } from '../runtime/require.js'
import type { CreateRequest, Prewarmed, Runtime, Task } from '../runtime/runtime.js'
import { selectRuntime } from '../runtime/select.js'
import type { ContainerSpec, FileSystemObjects, Rootfs } from '../runtime/spec.js'
import type { LayerStore, StoredLayer } from '../store/layer-store.js'
import { identityOf, ownIdentity } from '../store/process-identity.js'
import type { AttachedVolumes } from '../volume/attach.js'
import { throwIfAborted } from './abortable.js'
import { askedConfig } from './commit-config.js'
import type { Container, CreatedContainer } from './container.js'
import { attachWanted, type LoadVolumes, wantedMounts } from './container-volumes.js'
import { FoundContainer } from './found-container.js'
import { actorOf, supervisionOf } from './hooks.js'
import type { Journal } from './journal.js'
import { settleObjects } from './object-mounts.js'
import type { CreateOptions } from './options.js'
import { OwnedContainer } from './owned-container.js'
import type { PrewarmedPool } from './prewarmed-pool.js'
import { keptIds } from './privileges.js'
import { type ContainerRecord, RECORD_VERSION } from './record.js'
import { ImageRootfs } from './rootfs.js'
import { type ContainerSettings, containerSettings } from './settings.js'
import { containerSpec } from './spec.js'
import { ContainerState } from './state.js'

/** The image a container is to be made of, looked up. */
export interface ImageForContainer {
  /** Of what the reference named. */
  readonly id: Digest
  readonly platform: Platform
  readonly image: Image
}

/** What {@link createContainer} stands on. */
export interface Workshop {
  readonly state: ContainerState
  readonly layers: LayerStore
  readonly journal: Journal
  readonly volumes: LoadVolumes
  /** In the order `auto` tries them. */
  readonly runtimes: readonly Runtime[]
  /** What is kept ready for containers of some kinds; nothing unless said. */
  readonly prewarmed?: Iterable<PrewarmedPool>
  /** Told when this process has nothing left to do for a container: its guest is gone, or it was removed. */
  readonly released: (id: string) => void
}

/**
 * Builds a container up to its guest's first instruction: spec, wall, record, task, receipt, requirements. Whatever fails or aborts
 * on the way takes back what was done before it. The wall hears the signal of the options for as long as the guest lives.
 */
export async function createContainer(workshop: Workshop, found: ImageForContainer, options: CreateOptions): Promise<CreatedContainer> {
  return prepared(workshop, found, options, (parts) => build(workshop, parts))
}

/**
 * Writes down a container that nobody holds: everything about it is settled and checked, and nothing is started. Its first start needs
 * no more than its record.
 */
export async function defineContainer(workshop: Workshop, found: ImageForContainer, options: CreateOptions): Promise<Container> {
  return prepared(workshop, found, options, async ({ id, runtime, attached, newRecord, spec }) => {
    assertMayOutlive(spec)
    if (options.watch !== undefined)
      throw new EngineError(
        'INVALID_ARGUMENT',
        'only the process that runs a container in the foreground can be told of its system calls',
        {
          hint: 'Leave out --detach and --restart.',
        },
      )
    const { state, layers, journal, volumes } = workshop
    const record = await state.create(
      id,
      { name: options.name, record: (_, name) => ({ ...newRecord(name, { id, spec }), owner: null }) },
      options.signal,
    )
    try {
      attached.confirm()
      await storedLayers(layers, found.image, options.signal)
    } catch (error) {
      throw await afterCleanUp(error, () => state.remove(record))
    }
    journal.add('create', actorOf(record))
    return new FoundContainer({ state, layers, journal, volumes, runtime, record })
  })
}

/**
 * Makes ready what can be of a container that nobody has asked for yet, and keeps nothing. Rejects as {@link createContainer} does, and with NOT_BUILT
 * for a wall that makes nothing ready.
 */
export async function prewarmContainer(workshop: Workshop, found: ImageForContainer, options: CreateOptions): Promise<Prewarmed> {
  const { config = {} } = await found.image.config()
  const volume = Object.keys(config.Volumes ?? {})[0] ?? options.mounts?.find(({ type }) => type === 'volume')?.destination
  if (volume !== undefined)
    throw new EngineError('INVALID_ARGUMENT', `no container can be prewarmed for this: ${volume} is a volume, which only a container has`, {
      hint: 'Mount a folder there (type bind), or memory (tmpfs).',
    })
  return prepared(workshop, found, options, async (parts) => {
    const { runtime } = parts
    if (runtime.prewarm === undefined)
      throw new EngineError('NOT_BUILT', `the ${runtime.name} wall starts containers cold: there is nothing of them to make ready`, {
        hint: 'Prewarming is for WASI programs.',
      })
    return runtime.prewarm(requestFor(workshop, parts, parts))
  })
}

/** Settles what a container is to be, and hands it to `make` with the image's layers open. */
async function prepared<T>(
  { layers, runtimes, state, volumes }: Workshop,
  found: ImageForContainer,
  options: CreateOptions,
  make: (parts: Parts) => Promise<T>,
): Promise<T> {
  const { signal } = options
  const required = parseRequirements(options.require ?? [])
  const { mounts: own, objects } = settleObjects(options)
  const id = ContainerState.newId()
  const config = await found.image.config()
  const rootfs = new ImageRootfs(await storedLayers(layers, found.image, signal))
  let attached: AttachedVolumes | undefined
  try {
    const image = config.config ?? {}
    const wanted = await wantedMounts(state, own, options, image)
    const world = found.platform.os === 'wasi' ? 'bare' : 'linux'
    // What is wrong with anything else is to be known before a volume is made.
    if (wanted.length > 0) containerSpec({ id, options, image, tree: rootfs.tree(), mounts: [], world })
    attached = await attachWanted(volumes, wanted, { tree: () => rootfs.tree(), keepId: keptIds(options.privileges ?? {}), signal })
    const { mounts } = attached
    const { runtime, spec } = await settle({ id, options, rootfs, runtimes, world, image, imageId: found.id, mounts })
    const settings = withoutShell(containerSettings(options, config.config ?? {}), { runtime, spec, rootfs })
    throwIfAborted(signal)
    const newRecord = (name: string, { id, spec }: Identity): ContainerRecord => ({
      version: RECORD_VERSION,
      id,
      name,
      image: {
        reference: options.image,
        id: found.id,
        manifest: found.image.descriptor.digest,
        platform: found.platform,
        diffIds: config.rootfs.diff_ids,
        ...(isLazy(rootfs) ? { lazy: true as const } : {}),
      },
      runtime: runtime.name,
      spec,
      settings,
      asked: askedConfig(options),
      labels: { ...config.config?.Labels, ...options.labels },
      autoRemove: options.autoRemove ?? false,
      status: 'created',
      owner: ownIdentity(),
      outlives: false,
      paused: false,
      stopRequested: false,
      restartCount: 0,
      restartFailures: 0,
      task: null,
      createdAt: new Date().toISOString(),
      startedAt: null,
      finishedAt: null,
      exit: null,
    })
    return await make({ id, newRecord, found, runtime, spec, rootfs, attached, objects, required, options })
  } catch (error) {
    throw await afterCleanUp(error, () => attached?.discard())
  } finally {
    rootfs.close()
  }
}

const SHELL = ['/bin/sh', '-c'] as const

/**
 * A health check for a shell, of a container behind the Wasm wall whose image has none: its words are a program's and its arguments. Quotes
 * and variables are what they are in a shell; nothing else is.
 */
function withoutShell(
  settings: ContainerSettings,
  { runtime, spec, rootfs }: { readonly runtime: Runtime; readonly spec: ContainerSpec; readonly rootfs: ImageRootfs },
): ContainerSettings {
  const { health } = settings
  if (runtime.name !== 'wasm' || health === null) return settings
  const [shell, flag, line = '', ...more] = health.test
  if (shell !== SHELL[0] || flag !== SHELL[1] || more.length > 0) return settings
  if (findProgram({ ...spec, process: { ...spec.process, args: [shell] } }, rootfs) !== null) return settings
  const variables = new Map(
    spec.process.env.map((assignment) => [assignment.split('=', 1)[0] ?? '', assignment.slice(assignment.indexOf('=') + 1)]),
  )
  return { ...settings, health: { ...health, test: expandWords(line, { variables, escapeCharacter: '\\' }) } }
}

/** What depends on which container it is. */
interface Identity {
  readonly id: string
  readonly spec: ContainerSpec
}

interface Parts {
  readonly id: string
  readonly newRecord: (name: string, identity: Identity) => ContainerRecord
  readonly found: ImageForContainer
  readonly runtime: Runtime
  readonly spec: ContainerSpec
  readonly rootfs: ImageRootfs
  readonly attached: AttachedVolumes
  readonly objects: FileSystemObjects
  readonly required: ReturnType<typeof parseRequirements>
  readonly options: CreateOptions
}

/** What a wall is asked for. */
function requestFor(
  { state, journal }: Workshop,
  { newRecord, rootfs, objects, options }: Parts,
  { id, spec }: Identity,
): Omit<CreateRequest, 'record'> {
  const { signal, terminalSize, watch } = options
  const directory = state.directoryOf(id)
  return {
    id,
    directory,
    spec,
    rootfs,
    objects,
    openStdin: options.openStdin ?? false,
    supervision: supervisionOf(newRecord(options.name ?? '', { id, spec }), {
      home: state.home,
      directory,
      journal: journal.path,
      outlives: false,
    }),
    ...(terminalSize === undefined ? {} : { terminalSize }),
    ...(watch === undefined ? {} : { watch }),
    ...(signal === undefined ? {} : { signal }),
  }
}

/** Which container it is: the one that something has been made ready for, where that fits. */
function identify(workshop: Workshop, parts: Parts): Identity & { readonly prewarmed?: Prewarmed; readonly pool?: PrewarmedPool } {
  const { id, spec, found } = parts
  const asNamed = ({ id: other }: Pick<Identity, 'id'>): Identity => {
    const isOwnName = spec.hostname === id.slice(0, 12)
    return { id: other, spec: isOwnName ? { ...spec, hostname: other.slice(0, 12) } : spec }
  }
  for (const pool of workshop.prewarmed ?? []) {
    if (pool.manifest !== found.image.descriptor.digest) continue
    // Of the one that fits, the same spec goes to the wall, which has settled it.
    let named: Identity = parts
    const prewarmed = pool.take((candidate) => {
      named = asNamed(candidate)
      return candidate.fits(requestFor(workshop, parts, named))
    })
    if (prewarmed !== null) return { id: named.id, spec: named.spec, prewarmed, pool }
  }
  return { id, spec }
}

async function build(workshop: Workshop, parts: Parts): Promise<CreatedContainer> {
  const { state, layers, journal, volumes, released } = workshop
  const { newRecord, found, runtime, attached, required, options } = parts
  const { signal } = options
  const { id, spec, prewarmed, pool } = identify(workshop, parts)
  let record: ContainerRecord | undefined
  try {
    const task = await runtime.create({
      ...requestFor(workshop, parts, { id, spec }),
      ...(prewarmed === undefined ? {} : { prewarmed }),
      record: async () => {
        // A wall that begins again, since what it was about to use has gone, has it already.
        record ??= await state.create(id, { name: options.name, record: (_, name) => newRecord(name, { id, spec }) }, signal)
        // Once more: until there was a record, nothing kept another process from removing the image with its layers. A removal holds the
        // lock that records are made under, so it is over by now. So it is with volumes.
        await storedLayers(layers, found.image, signal)
        attached.confirm()
      },
    })
    try {
      const receipt = await task.receipt()
      assertRequirements(required, receipt)
      throwIfAborted(signal)
      if (record === undefined) throw new EngineError('INTERNAL', `the ${runtime.name} wall made a container that nobody knows`)
      journal.add('create', actorOf(record))
      return new OwnedContainer({
        state,
        layers,
        journal,
        volumes,
        runtime,
        task,
        record: withTask(record, task),
        receipt,
        released: () => released(id),
      })
    } catch (error) {
      throw await afterCleanUp(error, () => task.delete())
    }
  } catch (error) {
    if (record === undefined) throw error
    const made = record
    throw await afterCleanUp(
      error,
      () => runtime.discard(id, state.directoryOf(id)),
      () => state.remove(made),
    )
  } finally {
    // Another in its place.
    pool?.restock()
  }
}

/** On disk the guest's process stands from its start on; until then it is its owner's, and ends with it. */
function withTask(record: ContainerRecord, { pid }: Task): ContainerRecord {
  const identity = identityOf(pid)
  return { ...record, task: identity === null ? null : { pid, identity } }
}

interface Question {
  readonly id: string
  readonly options: CreateOptions
  readonly rootfs: ImageRootfs
  readonly runtimes: readonly Runtime[]
  readonly world: 'linux' | 'bare'
  readonly image: Parameters<typeof containerSpec>[0]['image']
  readonly imageId: string
  readonly mounts: ContainerSpec['mounts']
}

/** The wall and the spec for it. An image for WASI, and any module behind the Wasm wall, gets a bare world. */
async function settle({
  id,
  options,
  rootfs,
  runtimes,
  world,
  image,
  imageId,
  mounts,
}: Question): Promise<{ runtime: Runtime; spec: ContainerSpec }> {
  const specFor = (world: Question['world']) => containerSpec({ id, options, image, imageId, tree: rootfs.tree(), mounts, world })
  const spec = specFor(world)
  const runtime = await selectRuntime({ runtimes, name: options.runtime ?? 'auto', spec, rootfs })
  if (isLazy(rootfs) && runtime.readsLazyLayers !== true)
    throw new EngineError('NOT_BUILT', `the ${runtime.name} wall cannot start before the image is here`, {
      hint: 'Leave --lazy out, and the image is pulled whole; what it is for are images of WASI programs.',
      data: { runtime: runtime.name },
    })
  if (runtime.name !== 'wasm' || world === 'bare') return { runtime, spec }
  // Found along the PATH of a Linux system, which the guest will not have: named by where it is.
  const bare = specFor('bare')
  const path = findProgram(spec, rootfs)?.path ?? bare.process.args[0] ?? ''
  return { runtime, spec: { ...bare, process: { ...bare.process, args: [path, ...bare.process.args.slice(1)] } } }
}

function isLazy({ layers }: Pick<Rootfs, 'layers'>): boolean {
  return layers.some(({ lazy }) => lazy !== undefined)
}

/** An image's layers, unpacked into the store where they are not yet. */
export async function storedLayers(layers: LayerStore, image: Image, signal: AbortSignal | undefined): Promise<readonly StoredLayer[]> {
  const stored: StoredLayer[] = []
  for (const layer of await image.layers()) stored.push(await layers.ensure(layer, signal === undefined ? {} : { signal }))
  return stored
}
