import type { Runtime } from '../runtime/runtime.js'
import type { ContainerSpec } from '../runtime/spec.js'
import type { ContainerImage } from './container.js'
import { type LoadVolumes, removeWithVolumes } from './container-volumes.js'
import type { ContainerRecord } from './record.js'
import type { ContainerState } from './state.js'

/** Milliseconds that `stop` gives a guest to end by itself. */
export const STOP_TIMEOUT_MS = 10_000

/** What every container stands on. */
export interface RecordedContainerParts {
  readonly state: ContainerState
  /** The wall that holds it. */
  readonly runtime: Runtime
  readonly record: ContainerRecord
  readonly volumes: LoadVolumes
}

/** What a container is, whoever made it: that stands in its record. */
export abstract class RecordedContainer {
  protected readonly state: ContainerState
  protected readonly wall: Runtime
  protected record: ContainerRecord
  readonly #volumes: LoadVolumes

  constructor({ state, runtime, record, volumes }: RecordedContainerParts) {
    this.state = state
    this.wall = runtime
    this.record = record
    this.#volumes = volumes
  }

  /** Removes the record, and with `volumes` the anonymous volumes made for the container, which the record kept. */
  protected async removeRecord({ volumes }: { readonly volumes: boolean }): Promise<void> {
    const remove = () => this.state.remove(this.record)
    await (volumes ? removeWithVolumes(this.#volumes, this.record.spec, remove) : remove())
  }

  get id(): string {
    return this.record.id
  }

  get name(): string {
    return this.record.name
  }

  get spec(): ContainerSpec {
    return this.record.spec
  }

  get image(): ContainerImage {
    return this.record.image
  }

  get runtime(): string {
    return this.record.runtime
  }
}
