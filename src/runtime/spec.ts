import type { ReadonlyFileSystem } from '../fs/file-system.js'
import type { NodeFsLike } from '../fs/node-fs-like.js'
import type { SeccompProfile } from '../launcher/seccomp-profile.js'
import type { StoredLayer } from '../store/layer-store.js'
import type { Limits } from './limits.js'
import type { ResourceSpec } from './resources.js'

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

/** A directory or file of the host. */
export interface BindMount {
  readonly type: 'bind'
  /** Absolute path on the host, symlinks and all: where it leads is found out when the container is made. */
  readonly source: string
  readonly destination: string
  readonly readonly: boolean
  /** False leaves out what else is mounted below the source. */
  readonly recursive?: boolean
}

/** The data of a named or anonymous volume. */
export interface VolumeMount {
  readonly type: 'volume'
  readonly name: string
  /** `<home>/volumes/<name>/_data`; nothing from the name on may be a symlink. */
  readonly source: string
  /** A directory or file in it that is mounted instead of the whole. */
  readonly subpath?: string
  readonly destination: string
  readonly readonly: boolean
  /** Made for this container, under a name that nobody gave: it goes with `rm -v` and `--rm`. */
  readonly anonymous: boolean
}

/** Files in memory that end with the container. */
export interface TmpfsMount {
  readonly type: 'tmpfs'
  readonly destination: string
  readonly sizeBytes?: number
  readonly mode?: number
  readonly readonly: boolean
  /** Whether a program in it can be executed; it can't unless said. */
  readonly executable?: boolean
}

/** A file system that is an object of the process that makes the container, which a spec only names. */
export interface ObjectMount {
  readonly type: 'fs'
  /** Directory of the object that is mounted. */
  readonly source: string
  readonly destination: string
  readonly readonly: boolean
  /** What the guest may add to it. */
  readonly sizeBytes: number
}

/** The objects of a spec's {@link ObjectMount}s, by destination. */
export type FileSystemObjects = ReadonlyMap<string, NodeFsLike>

/** A directory or file that is not the image's. */
export type Mount = BindMount | VolumeMount | TmpfsMount | ObjectMount

/** Whom the container can reach. `none` has a loopback of its own. */
export type NetworkSpec = { readonly mode: 'none' } | { readonly mode: 'host' }

/** A device of the host's, as it can be found in the container. */
export interface DeviceSpec {
  /** Absolute path on the host, symlinks and all: where it leads is found out when the container is made. */
  readonly source: string
  readonly destination: string
}

/** A system call filter that the user has written, kept whole so that a later start has the same. */
export interface SeccompSource {
  /** What it is called: mostly the path it came from. */
  readonly source: string
  readonly profile: SeccompProfile
}

/**
 * What a container may do more, or less, than others. Each part is what the wall always gives unless it is there: a filter of its own, hidden
 * paths of /proc and /sys, namespaces for everything, no_new_privs.
 */
export interface PrivilegeSpec {
  /** Asked for as a whole (`--privileged`); what that comes to stands in the other members. */
  readonly privileged?: true
  /** `ALL`, or names without `CAP_`: over the container's own namespaces and nothing else. */
  readonly capAdd?: readonly string[]
  readonly capDrop?: readonly string[]
  /** False: a setuid program or one with file capabilities may give what the container's root has. */
  readonly noNewPrivileges?: false
  readonly seccomp?: 'unconfined' | SeccompSource
  /** Nothing of /proc and /sys is hidden or read-only but what the kernel makes so. */
  readonly systemPaths?: 'unconfined'
  readonly devices?: readonly DeviceSpec[]
  /** Kernel parameters of the container's namespaces, by names with dots. */
  readonly sysctls?: Readonly<Record<string, string>>
  /** No /dev/shm. */
  readonly ipc?: 'none'
  /** The host's name and the host's cgroup tree are seen. */
  readonly uts?: 'host'
  readonly cgroupns?: 'host'
  /** Which ids in the container are those of whoever runs it; 0 unless said. */
  readonly keepId?: { readonly uid: number; readonly gid: number }
  /** Groups that were named: a wall that cannot put the user into each refuses. */
  readonly groups?: readonly number[]
}

/** A line of /etc/hosts. */
export interface ExtraHost {
  readonly name: string
  readonly address: string
}

/** What a wall is asked to run. Everything is decided here; no wall adds a default. */
export interface ContainerSpec {
  readonly hostname: string
  /** Lines of /etc/hosts besides the usual ones; none unless said. */
  readonly extraHosts?: readonly ExtraHost[]
  readonly process: ProcessSpec
  readonly mounts: readonly Mount[]
  readonly network: NetworkSpec
  readonly limits: Limits
  /** How it shares the host with others; as it comes unless said. */
  readonly resources?: ResourceSpec
  readonly readonlyRootfs: boolean
  /** Writable layer lives in memory and dies with the container (`--rm`). */
  readonly ephemeral: boolean
  readonly annotations: Readonly<Record<string, string>>
  /** The usual unless said. */
  readonly privileges?: PrivilegeSpec
  /** A run without anything of the machine's in it: clocks are stepped, and chance comes from the seed. */
  readonly deterministic?: { readonly seed: string }
  /** What the wall answers its guest is written down, or read again. */
  readonly recording?: RecordingSpec
  /** Whose preview1 a WASI module is linked with; wolffia's own unless said. */
  readonly wasiEngine?: WasiEngine
}

/** A recording of a run, and what it is made of or played for. */
export interface RecordingSpec {
  readonly mode: 'record' | 'replay'
  /** Absolute path on the host. */
  readonly path: string
  /** Digest of the image's manifest. */
  readonly image: string
}

/** Who answers a WASI module's calls: this package, or `@wasmer/wasi`. */
export type WasiEngine = 'wolffia' | 'wasmer'

/** Where the guest's root comes from: layers of an image, base first. */
export interface Rootfs {
  readonly layers: readonly StoredLayer[]
  /** The merged tree, read-only, for looking before running. Opened once, closed by whoever made the Rootfs. */
  tree(): ReadonlyFileSystem
}
