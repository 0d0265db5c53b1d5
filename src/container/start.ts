import { afterCleanUp, EngineError, messageOf, RUN_EXIT_CODES } from '../errors.js'
import type { DiffId } from '../oci/digest.js'
import { assertRequirements, parseRequirements } from '../runtime/require.js'
import type { Attachment, Runtime } from '../runtime/runtime.js'
import type { LayerStore, StoredLayer } from '../store/layer-store.js'
import { identityOf } from '../store/process-identity.js'
import type { StartOptions } from './container.js'
import { forgetExecs } from './exec.js'
import { HEALTH_FILE, STARTING } from './health.js'
import { actorOf, supervisionOf } from './hooks.js'
import type { Journal } from './journal.js'
import { type ContainerRecord, RECEIPT_FILE } from './record.js'
import { ImageRootfs } from './rootfs.js'
import type { ContainerState } from './state.js'

/** What {@link startRecorded} stands on. */
export interface StartParts {
  readonly state: ContainerState
  readonly layers: LayerStore
  readonly journal: Journal
  readonly runtime: Runtime
}

/** A container that runs, and the caller's part in its stdio if that was asked for. */
export interface StartedRun {
  readonly record: ContainerRecord
  readonly attachment: Attachment | null
}

/**
 * Starts a container that its record alone describes, and leaves it to its launcher. The caller holds the container's lock. What keeps it
 * from starting is written into the record too, as docker does.
 */
export async function startRecorded(parts: StartParts, record: ContainerRecord, options: StartOptions = {}): Promise<StartedRun> {
  const { state, layers, journal, runtime } = parts
  const directory = state.directoryOf(record.id)
  const rootfs = new ImageRootfs(await layersOf(layers, record.image.diffIds))
  forgetExecs(directory)
  try {
    const task = await runtime.create({
      id: record.id,
      directory,
      spec: record.spec,
      rootfs,
      openStdin: record.settings.openStdin,
      keepStdin: !record.settings.stdinOnce,
      supervision: supervisionOf(record, { home: state.home, directory, journal: journal.path, outlives: true }),
      ...(options.terminalSize === undefined ? {} : { terminalSize: options.terminalSize }),
    })
    try {
      const receipt = await task.receipt()
      assertRequirements(parseRequirements(record.settings.require), receipt)
      const attachment = options.attach === true ? await task.attach() : null
      const identity = identityOf(task.pid)
      const running: ContainerRecord = {
        ...record,
        status: 'running',
        outlives: true,
        paused: false,
        stopRequested: false,
        owner: task.supervisor,
        task: identity === null ? null : { pid: task.pid, identity },
        startedAt: new Date().toISOString(),
        finishedAt: null,
        exit: null,
      }
      if (record.settings.health !== null) await state.writeFile(record.id, HEALTH_FILE, JSON.stringify(STARTING), { durable: false })
      // Written before the guest goes: nobody takes a guest that ran for one that never did.
      await state.write(running)
      await state.writeFile(record.id, RECEIPT_FILE, JSON.stringify(receipt), { durable: false })
      // Before, too, or the end of a guest that only blinks would stand before its start.
      journal.add('start', actorOf(running))
      await task.start()
      await task.outlive()
      return { record: running, attachment }
    } catch (error) {
      throw await afterCleanUp(error, () => task.delete())
    }
  } catch (error) {
    const exitCode = error instanceof EngineError ? RUN_EXIT_CODES[error.code] : 125
    const exit = { exitCode, reason: 'exited', detail: messageOf(error), durationMs: 0 } as const
    throw await afterCleanUp(error, () =>
      state.write({ ...record, status: record.status === 'exited' ? 'exited' : 'created', owner: null, task: null, exit }),
    )
  } finally {
    rootfs.close()
  }
}

/** Of an image that may have been removed meanwhile: its layers stay for as long as a container needs them. */
export async function layersOf(layers: LayerStore, diffIds: readonly DiffId[]): Promise<readonly StoredLayer[]> {
  const found = await Promise.all(diffIds.map((diffId) => layers.find(diffId)))
  return found.map((layer, place) => {
    if (layer !== null) return layer
    throw new EngineError('INVALID_IMAGE', `layer ${diffIds[place]} of the container's image is no longer in the store`, {
      hint: 'Load or import the image again: its layers come back.',
    })
  })
}
