import type { ExitStatus } from '../runtime/exit.js'
import type { ContainerSpec } from '../runtime/spec.js'
import { mayBeAlive, type ProcessIdentity } from '../store/process-identity.js'
import type { ContainerImage, ContainerStatus, ContainerSummary } from './container.js'

/** Version of the JSON; a record of another version is not read. */
export const RECORD_VERSION = 1

/** What is on disk about a container: `containers/<id>/container.json`. Only its owner rewrites it, by rename. */
export interface ContainerRecord {
  readonly version: typeof RECORD_VERSION
  readonly id: string
  readonly name: string
  readonly image: ContainerImage
  /** Name of the wall. */
  readonly runtime: string
  readonly spec: ContainerSpec
  readonly labels: Readonly<Record<string, string>>
  readonly autoRemove: boolean
  readonly openStdin: boolean
  /** What the owner wrote last; {@link summaryOf} says what is true now. */
  readonly status: ContainerStatus
  /** The process that made it and holds its streams. */
  readonly owner: ProcessIdentity
  /** The guest's init or sandbox process, from start on. */
  readonly task: { readonly pid: number; readonly identity: ProcessIdentity } | null
  /** RFC 3339. */
  readonly createdAt: string
  readonly startedAt: string | null
  readonly finishedAt: string | null
  readonly exit: ExitStatus | null
}

/** How a container counts whose owner was killed: the launcher kills the guest with its owner, and nobody saw the time. */
const DIED_UNSEEN: ExitStatus = {
  exitCode: 137,
  signal: 'SIGKILL',
  reason: 'signaled',
  detail: 'the command that ran it is gone without having written how it ended',
  durationMs: 0,
}

/** What is true of a container now: its owner may have been killed since it wrote the record. */
export function summaryOf(record: ContainerRecord): ContainerSummary {
  const alive = isOwned(record) || isTaskAlive(record)
  const died = record.status === 'running' && !alive
  return {
    id: record.id,
    name: record.name,
    image: record.image,
    runtime: record.runtime,
    command: record.spec.process.args,
    status: died ? 'exited' : record.status,
    createdAt: new Date(record.createdAt),
    startedAt: record.startedAt === null ? null : new Date(record.startedAt),
    finishedAt: record.finishedAt === null ? null : new Date(record.finishedAt),
    exit: died ? DIED_UNSEEN : record.exit,
    labels: record.labels,
    pid: record.status === 'running' && !died ? (record.task?.pid ?? null) : null,
    autoRemove: record.autoRemove,
  }
}

/** Whether the process that made it still runs and has not written its end: such a container is that process's business. */
export function isOwned(record: ContainerRecord): boolean {
  return record.status !== 'exited' && mayBeAlive(record.owner)
}

/** Whether the guest's process still runs. */
export function isTaskAlive(record: ContainerRecord): boolean {
  return record.status !== 'exited' && record.task !== null && mayBeAlive(record.task.identity)
}
