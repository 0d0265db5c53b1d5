/**
 * What isolation is really in force, as evidence and not as configuration.
 *
 * Collected inside, after the last privilege is dropped and before the guest's first instruction, then checked again from
 * outside (`/proc/PID/…`). No byte of it comes from guest code.
 */

/** A namespace, as `readlink /proc/self/ns/X` names it inside, beside the host's own. */
export interface NamespaceEvidence {
  /** The two inodes differ. */
  readonly isolated: boolean
  readonly inode: number
  readonly hostInode: number
}

/** Kinds of namespace a receipt speaks of. */
export type NamespaceName = 'pid' | 'uts' | 'mount' | 'ipc' | 'net' | 'user' | 'cgroup'

/** One line of the guest's own mount table (proc_pid_mountinfo(5)). */
export interface MountEvidence {
  readonly mountPoint: string
  readonly fileSystem: string
  /** Per-mount options, `ro,nosuid,nodev`. */
  readonly options: string
  /** Options of the file system behind it: `size=` of a tmpfs; of an overlay `lowers=N` and `upper`. Host paths are left out. */
  readonly superOptions: string
  /** Whether later mounts elsewhere appear below it: only `private` does not. */
  readonly propagation: 'private' | 'shared' | 'slave'
}

/** A limit that is in force, and what enforces it. */
export interface LimitEvidence {
  readonly name: LimitName
  /** Bytes, milliseconds, processors or a count. */
  readonly value: number
  readonly mechanism: LimitMechanism
}

/** Limits as a receipt names them; `sandboxMemory` is what the whole process of a Wasm sandbox may take, the engine included. */
export type LimitName = 'memory' | 'sandboxMemory' | 'cpus' | 'pids' | 'openFiles' | 'disk' | 'output' | 'time' | 'table' | 'fuel'

/** What holds a limit: a control group, setrlimit(2), a tmpfs's size, the Wasm engine and its preview1, or the launcher's parent. */
export type LimitMechanism = 'cgroup' | 'rlimit' | 'tmpfs' | 'wasm' | 'supervisor'

/** Capability sets as the kernel prints them: 16 hex digits each. */
export interface CapabilityEvidence {
  readonly inheritable: string
  readonly permitted: string
  readonly effective: string
  readonly bounding: string
  readonly ambient: string
}

/** Extents of a user namespace: first id inside, first id outside, count. */
export interface IdMapEvidence {
  readonly uid: readonly (readonly [number, number, number])[]
  readonly gid: readonly (readonly [number, number, number])[]
}

/** The kernel's side of a receipt: null where the Wasm wall stands alone. */
export interface KernelEvidence {
  readonly namespaces: Readonly<Record<NamespaceName, NamespaceEvidence>>
  readonly hostname: string
  /** `hostRootVisible`: the host's own root file system is mounted somewhere in it. `bytes` and `inodes` are its statvfs totals. */
  readonly root: {
    readonly fileSystem: string
    readonly readonly: boolean
    readonly hostRootVisible: boolean
    readonly bytes: number
    readonly inodes: number
  }
  readonly mounts: readonly MountEvidence[]
  /** `mode` 2 is a filter; `filters` how many are stacked; `instructions` how long the wall's or the user's is, 0 for none. */
  readonly seccomp: { readonly mode: number; readonly filters: number; readonly instructions: number }
  /** Kernel parameters that were set for the container, by names with dots, as they are read back inside. */
  readonly sysctls: Readonly<Record<string, string>>
  readonly capabilities: CapabilityEvidence
  readonly noNewPrivileges: boolean
  /** Landlock ABI in use and what it scopes; null when not in force. */
  readonly landlock: { readonly abi: number; readonly scopes: readonly string[] } | null
  /** Lines of uid_map and gid_map: first id inside, first id on the host, count. */
  readonly idMap: IdMapEvidence
  readonly user: { readonly uid: number; readonly gid: number; readonly groups: readonly number[] }
  /** Open descriptors the guest starts with. */
  readonly descriptors: readonly number[]
  /** Resource limits by their names in /proc/self/limits, soft value; `unlimited` is -1. */
  readonly rlimits: Readonly<Record<string, number>>
  /** Hard values likewise, up to which a program may raise its soft ones. */
  readonly hardRlimits: Readonly<Record<string, number>>
  /** Network interfaces seen, with `up` for those that are. */
  readonly interfaces: Readonly<Record<string, 'up' | 'down'>>
  /** Names in /dev. */
  readonly devices: readonly string[]
  /** First size of the guest's terminal; null when its stdio are pipes. */
  readonly terminal: { readonly rows: number; readonly columns: number } | null
  /** `session`: the guest leads a session of its own, so it shares no terminal with its caller. */
  readonly process: {
    readonly dumpable: boolean
    readonly session: boolean
    readonly umask: number
    readonly oomScoreAdjust: number
    readonly workingDirectory: string
  }
  /** Limits held by the launcher's parent; null where there is none. */
  readonly supervisor: {
    readonly outputBytes: number | null
    readonly timeMs: number | null
    /** What `pause` does: a control group of its own is frozen, or all its processes are sent SIGSTOP, which each can be seen to have got. */
    readonly pause: 'freezer' | 'signals'
  }
}

/** A system call filter that is the user's and not the wall's. */
export interface ProfileEvidence {
  readonly source: string
  /** `sha256:…` of the program that the kernel was given. */
  readonly digest: string
  readonly instructions: number
  /** Names in its rules that are no call here, and were passed over. */
  readonly unknownNames: number
}

/** The engine's side of a receipt for a Wasm guest. */
export interface WasmEvidence {
  readonly engine: string
  readonly v8: string
  readonly moduleDigest: string
  /** Import modules and names the guest was linked with. */
  readonly imports: readonly string[]
  readonly memoryPagesMaximum: number
  readonly tableElementsMaximum: number
  /** What was put into the module before it was compiled: `fuel` counts its instructions, `canonical-nan` makes all NaNs one. Absent for nothing. */
  readonly instrumented?: readonly string[]
  /** Threads the guest may have at once, its first one included: 1 where its module asks for none. */
  readonly threadsMaximum: number
  /** Directories the guest was given, by their guest names. */
  readonly preopens: readonly string[]
  readonly environment: readonly string[]
}

/** The typed receipt of one container. `JSON.stringify` of it is its published form. */
export interface Receipt {
  readonly schema: 'wolffia.receipt/1'
  readonly container: string
  readonly wall: string
  /** Two walls, one inside the other: Wasm within namespaces and seccomp. */
  readonly doubleWall: boolean
  readonly kernel: KernelEvidence | null
  /** What took the place of the wall's own filter; null where that is in force, or none. */
  readonly seccompProfile: ProfileEvidence | null
  readonly wasm: WasmEvidence | null
  readonly limits: readonly LimitEvidence[]
  /** What was compared from outside, and whether each agreed. Any `false` makes the receipt a failure. */
  readonly crossCheck: Readonly<Record<string, boolean>>
}
