import type { PrewarmedPool } from '../container/prewarmed-pool.js'
import type { ContainerOptions } from './containers.js'

/**
 * What of a container is settled when it is prewarmed: everything that its process, its wall, its files and its compiled module depend on. A
 * container of the same image that asks for the same in all of this uses one that waits; its arguments and environment, its name, labels, log, health
 * check, requirements and what it reads on stdin are its own.
 */
export type PrewarmOptions = Pick<
  ContainerOptions,
  | 'image'
  | 'platform'
  | 'pull'
  | 'pullProgress'
  | 'entrypoint'
  | 'command'
  | 'workingDir'
  | 'user'
  | 'hostname'
  | 'mounts'
  | 'tmpfs'
  | 'limits'
  | 'resources'
  | 'readonlyRootfs'
  | 'deterministic'
  | 'wasiEngine'
  | 'tty'
  | 'openStdin'
  | 'autoRemove'
  | 'signal'
> & {
  /** How many are kept ready; 1 unless said. Each is a process that waits, some 25 MiB and what its module takes. */
  readonly count?: number
}

/** Containers that are kept ready until this is closed, or the engine is disposed of. While it is open this process does not end by itself. */
export class PrewarmedContainers implements AsyncDisposable {
  readonly #pool: PrewarmedPool

  /** @internal */
  constructor(pool: PrewarmedPool) {
    this.#pool = pool
  }

  /** How many wait now. */
  get ready(): number {
    return this.#pool.ready
  }

  /** Resolves when as many wait as were asked for. Rejects with what keeps one from being made. */
  full(): Promise<void> {
    return this.#pool.fill()
  }

  /** Ends those that wait. Containers that some have become go on. Idempotent. */
  close(): Promise<void> {
    return this.#pool.close()
  }

  /** The same as {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
