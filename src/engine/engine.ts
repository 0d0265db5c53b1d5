import { EngineError } from '../errors.js'
import type { Runtime } from '../runtime/runtime.js'
import type { Containers } from './containers.js'
import type { Images } from './images.js'

/** What {@link Engine.open} takes. */
export interface EngineOptions {
  /** Folder for images and containers; `$WOLFFIA_HOME`, else `$XDG_DATA_HOME/wolffia`, else `~/.local/share/wolffia`. */
  readonly home?: string
  /** The walls to use instead of wolffia's own; first come, first asked by `auto`. */
  readonly runtimes?: readonly Runtime[]
  readonly signal?: AbortSignal
}

/** One thing that was looked at on this host. */
export interface Finding {
  /** `user-namespaces`, `seccomp`, `cgroup` … */
  readonly name: string
  readonly ok: boolean
  /** What was found, a sentence. */
  readonly detail: string
  /** The least that mends it, when it is not ok. */
  readonly fix?: string
}

/** What `doctor` finds: which walls stand here, and what is missing. */
export interface Diagnosis {
  readonly findings: readonly Finding[]
  /** Wall to the reason it cannot be used, or null. */
  readonly runtimes: Readonly<Record<string, string | null>>
}

/** Versions of wolffia and what it runs on. */
export interface VersionReport {
  readonly version: string
  readonly node: string
  readonly v8: string
  readonly platform: string
  readonly kernel: string
}

/** The engine: images in a store, containers behind walls. Open it, use it, dispose of it (`await using`). */
export class Engine implements AsyncDisposable {
  private constructor(
    /** Folder everything is kept in. */
    readonly home: string,
    readonly images: Images,
    readonly containers: Containers,
  ) {}

  /** Opens the engine over its folder, making it when it is missing. */
  static open(_options: EngineOptions = {}): Promise<Engine> {
    return Promise.reject(new EngineError('NOT_BUILT', 'the engine is put together when store and walls are'))
  }

  /** Tries what the walls need, by doing it. */
  doctor(): Promise<Diagnosis> {
    return Promise.reject(new EngineError('NOT_BUILT', 'doctor'))
  }

  /** What runs here. */
  version(): Promise<VersionReport> {
    return Promise.reject(new EngineError('NOT_BUILT', 'version'))
  }

  /** Kills and removes what this process still owns. */
  async [Symbol.asyncDispose](): Promise<void> {}
}
