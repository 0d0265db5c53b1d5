import type { NodeFsLike } from '../fs/node-fs-like.js'
import type { Limits } from '../runtime/limits.js'
import type { ResourceSpec } from '../runtime/resources.js'
import type { TerminalSize } from '../runtime/runtime.js'
import type { ExtraHost, WasiEngine } from '../runtime/spec.js'
import type { SystemCallWatch } from '../runtime/system-calls.js'
import type { MountRequest } from '../volume/volume.js'
import type { PrivilegeOptions } from './privileges.js'
import type { HealthCheck, LogSettings, RestartPolicy } from './settings.js'

/**
 * A file system of this process, a memfs Volume or what else looks like `node:fs`, for a container that ends with this process. Everything in
 * it belongs to the guest's user; names are UTF-8.
 *
 * Behind the Wasm wall it is live: what either side does, the other sees at once. Behind the native wall the guest has a copy of what was there
 * when it was created, and only what it has changed in that is written back, when it has ended and before `wait` answers: a name that
 * both have changed is then as the guest left it. What cannot be taken back is in the exit's `detail`, by name; more than `sizeBytes`
 * makes `wait` reject with LIMIT_EXCEEDED, and nothing is written then.
 */
export interface ObjectMountRequest {
  readonly type: 'fs'
  readonly fs: NodeFsLike
  /** Absolute path in the container. */
  readonly destination: string
  readonly readonly?: boolean
  /** Directory of the object that is mounted; all of it unless said. */
  readonly source?: string
  /** What the guest may add to it; `limits.diskBytes` unless said, else 256 MiB. */
  readonly sizeBytes?: number
}

/** What a container is made of, in docker's words. */
export interface CreateOptions {
  /** Name or id of an image in the store. */
  readonly image: string
  /** Replaces the image's command. */
  readonly command?: readonly string[]
  /** Replaces the image's entrypoint, and with it the image's command; empty for none. */
  readonly entrypoint?: readonly string[]
  /** Variables over the image's. */
  readonly env?: Readonly<Record<string, string>>
  /** Absolute path in the container. */
  readonly workingDir?: string
  /** `name|uid[:group|gid]`, by the image's own /etc/passwd and /etc/group. */
  readonly user?: string
  /** Groups the user is in besides, by name or number. */
  readonly additionalGroups?: readonly string[]
  /** More lines of /etc/hosts. */
  readonly extraHosts?: readonly ExtraHost[]
  /** The first twelve digits of the id unless said. */
  readonly hostname?: string
  /** A made-up one unless said. */
  readonly name?: string
  /** Folders of the host, volumes (made when they are not there), tmpfs, and file systems of this process. */
  readonly mounts?: readonly (MountRequest | ObjectMountRequest)[]
  /** Containers, by name or id, whose binds and volumes this one has too, at the same places; `NAME:ro` to read only. */
  readonly volumesFrom?: readonly string[]
  /** Destination to options, as `docker run --tmpfs` has them: `{ '/run': 'size=64m,mode=1777' }`. */
  readonly tmpfs?: Readonly<Record<string, string>>
  /** `none` unless said: a loopback of its own. */
  readonly network?: 'none' | 'host'
  readonly limits?: Limits
  /** How it shares the host with others: weights, swap, processors, ulimits. */
  readonly resources?: ResourceSpec
  /** The same run each time, on any machine: clocks are stepped, and chance comes from this seed. Wasm only, without mounts of the host's. */
  readonly deterministic?: { readonly seed: string }
  /** Writes down what the guest is answered, to this absolute path, for `wolffia replay`; or answers it from there. Wasm only. */
  readonly recording?: { readonly mode: 'record' | 'replay'; readonly path: string }
  readonly readonlyRootfs?: boolean
  /** Capabilities, filter, devices, kernel parameters; the usual unless said. */
  readonly privileges?: PrivilegeOptions
  /** The wall: `auto` chooses by the program, a named one is used or fails. */
  readonly runtime?: 'auto' | 'native' | 'wasm'
  /**
   * Whose preview1 a WASI module is linked with. `wasmer` is `@wasmer/wasi`, for comparison: it passes fewer of the official tests and has no
   * mounts, exec or threads. Ours unless said.
   */
  readonly wasiEngine?: WasiEngine
  /** `linux/amd64`, `wasi/wasm`: which of the image's platforms. */
  readonly platform?: string
  /** A terminal as stdio. */
  readonly tty?: boolean
  readonly terminalSize?: TerminalSize
  /** A stdin to write to; without, the guest reads end-of-file. */
  readonly openStdin?: boolean
  /** That stdin stays open when a caller has no more to say. */
  readonly keepStdin?: boolean
  /** What `stop` sends; the image's, else SIGTERM. `TERM`, `SIGHUP`, `9`. */
  readonly stopSignal?: string
  /** Seconds that `stop` waits before SIGKILL; negative is without end. 10 unless said. */
  readonly stopTimeoutSeconds?: number
  /** Whether it is started again after its end; not unless said. */
  readonly restart?: RestartPolicy
  /** How its health is found out: each part the image's unless said, null for not at all. Without a `test` of either there is no check. */
  readonly health?: Partial<HealthCheck> | null
  /** Where its output is kept; nowhere unless said. */
  readonly log?: LogSettings
  /** Remove it when it ends. */
  readonly autoRemove?: boolean
  /** Aspects of the receipt that must be in force (`seccomp`, `netns`, `memory`), or creating fails with REQUIREMENT_NOT_MET. */
  readonly require?: readonly string[]
  readonly labels?: Readonly<Record<string, string>>
  /** For who reads the container's spec, and of no effect on it. */
  readonly annotations?: Readonly<Record<string, string>>
  /**
   * Has the guest's system calls told: those that are refused, or those that it makes. Of a native container that is this process's own; read
   * them by {@link CreatedContainer.systemCalls}. Makes those calls slower, and nothing wider.
   */
  readonly watch?: SystemCallWatch
  /** Gives up creating, with ABORTED. A container that has been created is ended by `kill` and `stop` alone. */
  readonly signal?: AbortSignal
}
