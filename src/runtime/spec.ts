import type { ReadonlyFileSystem } from '../fs/file-system.js'
import type { StoredLayer } from '../store/layer-store.js'
import type { Limits } from './limits.js'

/** The program to run, in the words of the OCI runtime spec (`process`). */
export interface ProcessSpec {
  /** argv; never empty. `args[0]` is looked up in the guest's PATH when it has no slash. */
  readonly args: readonly string[]
  /** `NAME=value`, in order, nothing added by the wall. */
  readonly env: readonly string[]
  /** Absolute path in the container; made when missing. */
  readonly cwd: string
  readonly user: { readonly uid: number; readonly gid: number; readonly additionalGids: readonly number[] }
  /** A pseudo-terminal as stdio instead of pipes. */
  readonly terminal: boolean
}

/** A directory or file that is not the image's. */
export type Mount =
  | { readonly type: 'bind'; readonly source: string; readonly destination: string; readonly readonly: boolean }
  | {
      readonly type: 'tmpfs'
      readonly destination: string
      readonly sizeBytes?: number
      readonly mode?: number
      readonly readonly: boolean
    }

/** Whom the container can reach. `none` has a loopback of its own. */
export type NetworkSpec = { readonly mode: 'none' } | { readonly mode: 'host' }

/** What a wall is asked to run. Everything is decided here; no wall adds a default. */
export interface ContainerSpec {
  readonly hostname: string
  readonly process: ProcessSpec
  readonly mounts: readonly Mount[]
  readonly network: NetworkSpec
  readonly limits: Limits
  readonly readonlyRootfs: boolean
  /** Writable layer lives in memory and dies with the container (`--rm`). */
  readonly ephemeral: boolean
  readonly annotations: Readonly<Record<string, string>>
}

/** Where the guest's root comes from: layers of an image, base first. */
export interface Rootfs {
  readonly layers: readonly StoredLayer[]
  /** The merged tree, read-only, for looking before running. Opened once, closed by whoever made the Rootfs. */
  tree(): ReadonlyFileSystem
}
