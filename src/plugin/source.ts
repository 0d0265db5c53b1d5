import { readFile } from 'node:fs/promises'
import { settleObject } from '../container/object-mounts.js'
import type { ObjectMountRequest } from '../container/options.js'
import type { OpenedProgram } from '../container/program.js'
import { Engine } from '../engine/engine.js'
import { afterCleanUp, EngineError } from '../errors.js'
import type { NodeFsLike } from '../fs/node-fs-like.js'
import { KIND_NAMES, kindOf } from '../runtime/magic.js'
import type { ContainerSpec, FileSystemObjects } from '../runtime/spec.js'
import { isComponent } from '../wasm/component/component-binary.js'
import { assertCoreModule, assertModuleSize } from '../wasm/module.js'
import type { SandboxLayer } from '../wasm/sandbox/protocol.js'
import { PLUGIN_LIMITS, type PluginMount, type PluginOptions } from './options.js'

/** A module or a component that is to be a plugin, and what it is given. */
export interface ModuleSource {
  readonly kind: 'module'
  readonly module: Uint8Array
  /** Where it is in its image; null for one without. */
  readonly path: string | null
  readonly spec: ContainerSpec
  readonly objects: FileSystemObjects
  readonly layers: readonly SandboxLayer[]
}

/** An image whose program is the kernel's to run. */
export interface NativeSource {
  readonly kind: 'native'
  readonly engine: Engine
  /** It was opened for this plugin, and is to be disposed of with it. */
  readonly ownsEngine: boolean
  readonly image: string
  /** What the image runs by itself: the program, then its arguments. */
  readonly args: readonly string[]
}

/**
 * Finds what a plugin is made of. Rejects with FILE_NOT_FOUND, IMAGE_NOT_FOUND, COMMAND_NOT_FOUND for what is not there, COMMAND_NOT_EXECUTABLE for
 * what no wall runs, and WRONG_RUNTIME for a native program that is no image.
 */
export async function openSource(options: PluginOptions): Promise<ModuleSource | NativeSource> {
  const { image, path, bytes } = options
  if ([image, path, bytes].filter((source) => source !== undefined).length !== 1)
    throw new EngineError('INVALID_ARGUMENT', 'a plugin comes from one place: image, path or bytes', { hint: 'Give exactly one of them.' })
  if (image !== undefined) return openImage(image, options)
  return moduleOf(bytes ?? (await readModule(path ?? '')), options)
}

/** The mounts of the options, as a container has them. */
export function mountRequests({ mounts = {} }: PluginOptions): readonly ObjectMountRequest[] {
  return Object.entries(mounts).map(([destination, mount]) => ({ type: 'fs', destination, ...(isMount(mount) ? mount : { fs: mount }) }))
}

function isMount(mount: NodeFsLike | PluginMount): mount is PluginMount {
  return !('lstatSync' in mount)
}

function moduleOf(module: Uint8Array, options: PluginOptions): ModuleSource {
  const kind = kindOf(module)
  if (kind !== 'wasm')
    throw new EngineError('WRONG_RUNTIME', `a file that is to be a plugin must be a WebAssembly module, and this is ${KIND_NAMES[kind]}`, {
      hint: 'Import it as an image (wolffia import) and load that: its program can be run, behind the native wall.',
    })
  assertProgram(module)
  const limits = { ...PLUGIN_LIMITS, ...options.limits }
  const mounts = mountRequests(options).map((request) => ({ request, mount: settleObject(request, limits) }))
  const spec: ContainerSpec = {
    hostname: 'plugin',
    process: {
      args: ['plugin'],
      env: Object.entries(options.env ?? {}).map(([name, value]) => `${name}=${value}`),
      cwd: '/',
      user: { uid: 0, gid: 0, additionalGids: [] },
      terminal: false,
    },
    mounts: mounts.map(({ mount }) => mount),
    network: { mode: 'none' },
    limits,
    readonlyRootfs: true,
    ephemeral: true,
    annotations: {},
  }
  return {
    kind: 'module',
    module,
    path: null,
    spec,
    objects: new Map(mounts.map(({ request, mount }) => [mount.destination, request.fs])),
    layers: [],
  }
}

async function openImage(image: string, options: PluginOptions): Promise<ModuleSource | NativeSource> {
  const engine = options.engine ?? (await Engine.open())
  try {
    const source = await programOf(image, engine, options)
    // A module is all in memory by now; a native program is started by the engine.
    if (options.engine === undefined && source.kind === 'module') await engine[Symbol.asyncDispose]()
    return source.kind === 'native' ? { ...source, ownsEngine: options.engine === undefined } : source
  } catch (error) {
    throw options.engine === undefined ? await afterCleanUp(error, () => engine[Symbol.asyncDispose]()) : error
  }
}

async function programOf(image: string, engine: Engine, options: PluginOptions): Promise<ModuleSource | NativeSource> {
  const { env, signal } = options
  const opened = await engine.containers.openProgram({
    image,
    mounts: mountRequests(options),
    limits: { ...PLUGIN_LIMITS, ...options.limits },
    readonlyRootfs: true,
    autoRemove: true,
    ...(env === undefined ? {} : { env }),
    ...(signal === undefined ? {} : { signal }),
  })
  try {
    return sourceOf(image, engine, opened)
  } finally {
    opened.rootfs.close()
  }
}

function sourceOf(image: string, engine: Engine, { spec, objects, rootfs, program }: OpenedProgram): ModuleSource | NativeSource {
  const { args } = spec.process
  if (program === null || program.ino === null)
    throw new EngineError('COMMAND_NOT_FOUND', `${args[0]} does not exist in the image ${image}`)
  if (program.kind === 'elf' || program.kind === 'script') return { kind: 'native', engine, ownsEngine: false, image, args }
  if (program.kind !== 'wasm')
    throw new EngineError('COMMAND_NOT_EXECUTABLE', `${args[0]} of the image ${image} is ${KIND_NAMES[program.kind]}`)
  const tree = rootfs.tree()
  const { size } = tree.stat(program.ino)
  assertModuleSize(size)
  const module = new Uint8Array(size)
  tree.read(program.ino, module, 0)
  assertProgram(module)
  const layers = rootfs.layers.map(({ tarPath, indexPath }) => ({ tarPath, indexPath }))
  return { kind: 'module', module, path: program.path, spec, objects, layers }
}

function assertProgram(module: Uint8Array): void {
  if (!isComponent(module)) assertCoreModule(module)
}

async function readModule(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path)
  } catch (cause) {
    throw new EngineError('FILE_NOT_FOUND', `the plugin cannot be read: ${(cause as Error).message}`, { cause, data: { path } })
  }
}
