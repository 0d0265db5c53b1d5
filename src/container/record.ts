import type { ExitStatus } from '../runtime/exit.js'
import type { RunEnd } from '../runtime/runtime.js'
import type { ContainerSpec } from '../runtime/spec.js'
import { mayBeAlive, type ProcessIdentity } from '../store/process-identity.js'
import type { AskedConfig } from './commit-config.js'
import type { ContainerImage, ContainerSummary } from './container.js'
import type { ContainerSettings } from './settings.js'

/** Version of the JSON; a record of another version is not read. */
export const RECORD_VERSION = 2

/** File of the container's folder that holds its receipt. */
export const RECEIPT_FILE = 'receipt.json'

/** What is on disk about a container: `containers/<id>/container.json`. Rewritten by rename: by its owner, else by who holds its lock. */
export interface ContainerRecord {
  readonly version: typeof RECORD_VERSION
  readonly id: string
  readonly name: string
  readonly image: ContainerImage
  /** Name of the wall. */
  readonly runtime: string
  readonly spec: ContainerSpec
  /** For an image of it; none of one whose maker said nothing. */
  readonly asked?: AskedConfig
  readonly labels: Readonly<Record<string, string>>
  readonly autoRemove: boolean
  readonly settings: ContainerSettings
  /** What was written last; {@link summaryOf} says what is true now. */
  readonly status: RecordedStatus
  /** The process that sees to its end: who made it and holds its streams, or the launcher of one that outlives that. Null when nobody has to. */
  readonly owner: ProcessIdentity | null
  /** It outlives who started it: its end is in the wall's hands. */
  readonly outlives: boolean
  /** All its processes are stopped. */
  readonly paused: boolean
  /** Somebody asked it to end: it is not started again by its restart policy. */
  readonly stopRequested: boolean
  /** How often its restart policy has started it again, and how often of that in a row it ended soon. */
  readonly restartCount: number
  readonly restartFailures: number
  /** The guest's init or sandbox process, from start on. */
  readonly task: { readonly pid: number; readonly identity: ProcessIdentity } | null
  /** RFC 3339. */
  readonly createdAt: string
  readonly startedAt: string | null
  readonly finishedAt: string | null
  readonly exit: ExitStatus | null
}

/** What a record says; `paused` is told beside it. */
export type RecordedStatus = 'created' | 'running' | 'restarting' | 'exited'

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
  const died = isGone(record)
  const status = died ? 'exited' : record.status === 'running' && record.paused ? 'paused' : record.status
  return {
    id: record.id,
    name: record.name,
    image: record.image,
    runtime: record.runtime,
    command: record.spec.process.args,
    status,
    createdAt: new Date(record.createdAt),
    startedAt: record.startedAt === null ? null : new Date(record.startedAt),
    finishedAt: record.finishedAt === null ? null : new Date(record.finishedAt),
    exit: died ? (record.exit ?? DIED_UNSEEN) : record.exit,
    labels: record.labels,
    pid: record.status === 'running' && !died ? (record.task?.pid ?? null) : null,
    autoRemove: record.autoRemove,
    restartCount: record.restartCount,
    health: null,
  }
}

/** Whether it is said to run, or about to, and nobody is left who could. */
export function isGone(record: ContainerRecord): boolean {
  return (record.status === 'running' || record.status === 'restarting') && !isOwned(record) && !isTaskAlive(record)
}

/** The record of a container of which the wall says how it ended, or does not know. */
export function endedRecord(record: ContainerRecord, end: RunEnd | null): ContainerRecord {
  const finishedAt = end?.finishedAt.toISOString() ?? record.finishedAt
  return { ...record, status: 'exited', paused: false, owner: null, task: null, finishedAt, exit: end?.exit ?? record.exit ?? DIED_UNSEEN }
}

/** Whether the process that sees to its end still runs and has not written it. */
export function isOwned(record: ContainerRecord): boolean {
  return record.status !== 'exited' && record.owner !== null && mayBeAlive(record.owner)
}

/** Whether the guest's process still runs. */
export function isTaskAlive(record: ContainerRecord): boolean {
  return record.status !== 'exited' && record.task !== null && mayBeAlive(record.task.identity)
}

/** Whether its guest still is while whoever saw to its end is gone: that killed it, and it has yet to die. */
export function isAbandoned(record: ContainerRecord): boolean {
  return record.status === 'running' && !isOwned(record) && isTaskAlive(record)
}

/** Made to be removed when it ends, and nobody is left to do so. One that was never anybody's has yet to be started. */
export function isOrphan(record: ContainerRecord): boolean {
  const isToCome = record.status === 'created' && record.owner === null
  return record.autoRemove && !isToCome && !isOwned(record) && !isTaskAlive(record)
}
