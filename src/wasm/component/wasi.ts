/**
 * WASI 0.2 for one component, over the same tree, clocks, randomness and streams as preview1 (`wasi:cli`, `clocks`, `filesystem`, `io`, `random`
 * and `sockets`, each by the names that the JavaScript of a transpiled component has for them).
 *
 * The guest is hostile, and so is what calls these functions: every argument is looked at (`values.ts`, `ResourceTable.get`).
 */
import type { DirectoryHandle } from '../../fs/resolve.js'
import type { GuestTree } from '../preview1/guest-tree.js'
import type { Host, InputStream, OutputStream } from '../preview1/host.js'
import { cliInterfaces } from './cli.js'
import { clockAndRandomInterfaces } from './clocks-random.js'
import { filesystemInterfaces } from './filesystem.js'
import type { ResourceTable } from './resources.js'
import { socketInterfaces } from './sockets.js'
import { ioInterfaces } from './streams.js'

/** What a component is given. */
export interface ComponentWorld {
  readonly host: Host
  readonly tree: GuestTree
  /** stdin, stdout, stderr. */
  readonly streams: readonly [InputStream, OutputStream, OutputStream]
  readonly terminal: boolean
  /** Absolute path in the container. */
  readonly cwd: string
  /** Directories, by the names the guest has for them. */
  readonly preopens: readonly { readonly name: string; readonly handle: DirectoryHandle }[]
  /** Most files and directories it may have open. */
  readonly openFiles: number
}

/** What the functions of one component work on. */
export interface Wasi extends ComponentWorld {
  readonly resources: ResourceTable
}

/** A function of WASI. */
export type WasiFunction = (...args: unknown[]) => unknown
/** Functions and resources of an interface: a resource is its methods, which are given what they are called on. */
export type WasiInterface = Readonly<Record<string, WasiFunction | Readonly<Record<string, WasiFunction>>>>

/** All interfaces, by their names without versions. */
export function wasiInterfaces(wasi: Wasi): Readonly<Record<string, WasiInterface>> {
  return {
    ...cliInterfaces(wasi),
    ...clockAndRandomInterfaces(wasi),
    ...filesystemInterfaces(wasi),
    ...ioInterfaces(wasi),
    ...socketInterfaces(wasi),
  } as Readonly<Record<string, WasiInterface>>
}
