/**
 * What the supervisor and the sandbox process say to each other: one start message (JSON, to its end) on descriptor 3, then events
 * out and commands in on descriptor 4, one line each. Both are the sandbox's main thread's; the guests' workers never hold them.
 */
import type { ErrorCode } from '../../errors.js'
import type { ExitStatus } from '../../runtime/exit.js'
import type { WasmEvidence } from '../../runtime/receipt.js'
import type { WasiEngine } from '../../runtime/spec.js'

export const START_DESCRIPTOR = 3
export const CONTROL_DESCRIPTOR = 4
/** Where the sandbox writes the upper to, when it does. */
export const UPPER_DESCRIPTOR = 5

/** Tar and index of a layer, as paths of the sandbox's own root. */
export interface SandboxLayer {
  readonly tarPath: string
  readonly indexPath: string
  /** Where the tar's bytes come when they are asked for: the number to ask for them by. */
  readonly lazy?: number
}

/** A mount as the sandbox sees it. */
export type SandboxMount =
  /** `source` is a path in the sandbox's own root: the kernel has bound the host's directory or file there. */
  | { readonly type: 'bind'; readonly destination: string; readonly source: string; readonly readonly: boolean }
  | {
      readonly type: 'tmpfs'
      readonly destination: string
      readonly bytes: number
      readonly inodes: number
      readonly mode: number
      readonly readonly: boolean
    }
  /** A file system of the supervisor's, asked for by this number. */
  | { readonly type: 'remote'; readonly destination: string; readonly number: number; readonly readonly: boolean }

/** A guest's process, in the words of the OCI runtime spec. */
export interface GuestProcess {
  readonly args: readonly string[]
  readonly env: readonly string[]
  /** Absolute path in the container. */
  readonly cwd: string
  readonly user: { readonly uid: number; readonly gid: number; readonly additionalGids: readonly number[] }
  readonly terminal: boolean
}

/** What a sandbox that was made ready beforehand is told of the container that it becomes. */
export type GuestWords = Pick<GuestProcess, 'args' | 'env'>

/** What a sandbox is to run. Nothing in it is a default: the supervisor has decided everything. */
export interface StartMessage extends GuestProcess {
  /** Path of the module in the container. */
  readonly program: string
  /** Where what the program was transpiled to can be read; null for a module, and for a component of which that is not known. */
  readonly transpiled: string | null
  /** Whether the guest is given its directories, or computes with stdio alone. */
  readonly preopens: 'all' | 'none'
  /** Whose functions of preview1 the module is linked with. */
  readonly engine: WasiEngine
  /** Base first. */
  readonly layers: readonly SandboxLayer[]
  /** How many of them are the image's; the others are what earlier runs have left. */
  readonly imageLayers: number
  readonly mounts: readonly SandboxMount[]
  readonly readonlyRootfs: boolean
  /** Whether the upper is written to {@link UPPER_DESCRIPTOR} as a layer's tar at exit, or dies with the container. */
  readonly keepsUpper: boolean
  /** Descriptor of a file to which the guest's end is written too, as the event is; null for none. */
  readonly endDescriptor: number | null
  /** Descriptor of the socket at which remote file systems are asked; null where there are none. */
  readonly remoteDescriptor: number | null
  /** Where others ask for further programs: a socket that listens already, or the folder in which it is to. */
  readonly sessions: { readonly descriptor: number } | { readonly folder: string }
  /** It goes on when its supervisor closes its end of control. */
  readonly outlives: boolean
  /** It is nobody's yet: its program's words come later, by {@link BECOME}. */
  readonly prewarmed: boolean
  /** Seed of a deterministic run; null for any other. */
  readonly deterministic: string | null
  /** Where what the guest is answered is written to, or read from; null for a run that is neither. */
  readonly recording: { readonly mode: 'record' | 'replay'; readonly descriptor: number } | null
  readonly limits: SandboxLimits
}

/** Limits that the sandbox holds; null is none. */
export interface SandboxLimits {
  readonly memoryPages: number
  readonly tableElements: number
  readonly openFiles: number
  /** Of one program, its first one included. */
  readonly threads: number
  readonly diskBytes: number
  readonly inodes: number
  readonly outputBytes: number | null
  /** What each program may spend. */
  readonly fuel: number | null
  /** Size of the upper's tar; one that would be larger is not kept. */
  readonly upperBytes: number
}

/** What is said of any program, the container's own or one more, until it ends. */
export type ProgramEvent =
  /** It is compiled and bounded; not one of its instructions has run. */
  | { readonly event: 'ready'; readonly evidence: WasmEvidence }
  | {
      readonly event: 'failed'
      readonly code: ErrorCode
      readonly message: string
      readonly hint?: string
      readonly data: Readonly<Record<string, unknown>>
    }
  | { readonly event: 'started' }

/** What the sandbox's main thread says. */
export type SandboxEvent =
  /** Of one that is prewarmed: all is made that can be made without knowing for whom. */
  | { readonly event: 'warm' }
  | ProgramEvent
  /** `upperWhole`: the upper's tar is complete, where there is one. */
  | ({ readonly event: 'exited'; readonly upperWhole: boolean } & ExitStatus)

/** What the supervisor says once `ready` is there. */
export const GO = 'go'
/** With {@link GuestWords} as JSON behind it, on the same line: what a prewarmed sandbox waits for. `ready` is the answer. */
export const BECOME = 'become '
/** What it says before it leaves a guest that is to go on. */
export const OUTLIVE = 'outlive'
