import type { ContainerSize, ContainerStatus, ContainerSummary } from '../container/container.js'
import type { ContainerSpec } from '../runtime/spec.js'
import type { ListForm } from './format.js'
import { ellipsis, humanDuration, humanSize, printable, timestamp } from './output.js'

/** A row of `ps`. */
export interface ListedContainer {
  readonly summary: ContainerSummary
  /** The image as a user knows it now. */
  readonly image: string
  /** Null where nobody has asked for what it says, and for a dead one. */
  readonly spec: ContainerSpec | null
  /** Null where nobody has asked for it, and for a dead one. */
  readonly size: ContainerSize | null
}

/** Placeholders for which a container's spec must be read. */
export const SPEC_FIELDS = /Mounts|LocalVolumes|Networks|json/

/** Those for which files must be counted. */
export const SIZE_FIELDS = /Size|json/

/** How containers are listed: docker's placeholders of `docker ps`. `whole` ids, commands and mounts are not cut. */
export function containerForm({ whole, sizes = false }: { readonly whole: boolean; readonly sizes?: boolean }): ListForm<ListedContainer> {
  const cut = (text: string, length: number) => (whole ? text : ellipsis(text, length))
  return {
    typeName: '*formatter.ContainerContext',
    columns: ['ID', 'Image', 'Command', 'RunningFor', 'Status', 'Ports', 'Names', ...(sizes ? ['Size'] : [])],
    quiet: 'ID',
    fields: {
      ID: { heading: 'CONTAINER ID', value: ({ summary: { id } }) => (whole ? id : id.slice(0, 12)) },
      Image: { heading: 'IMAGE', value: ({ image }) => image },
      Command: { heading: 'COMMAND', value: ({ summary: { command } }) => `"${cut(printable(command.join(' ')), 20)}"` },
      CreatedAt: { heading: 'CREATED AT', value: ({ summary: { createdAt } }) => timestamp(createdAt) },
      RunningFor: { heading: 'CREATED', value: ({ summary: { createdAt } }) => `${humanDuration(Date.now() - createdAt.getTime())} ago` },
      Ports: { heading: 'PORTS', value: () => '' },
      State: { heading: 'STATE', value: ({ summary: { status } }) => status },
      Status: { heading: 'STATUS', value: ({ summary }) => statusOf(summary) },
      Size: { heading: 'SIZE', value: ({ size }) => sizeText(size) },
      Names: { heading: 'NAMES', value: ({ summary: { name } }) => name },
      Labels: { heading: 'LABELS', value: ({ summary: { labels } }) => labelsText(labels) },
      Mounts: {
        heading: 'MOUNTS',
        value: ({ spec }) =>
          mountsOf(spec)
            .map((name) => cut(name, 15))
            .join(','),
      },
      LocalVolumes: {
        heading: 'LOCAL VOLUMES',
        value: ({ spec }) => String(mountsOf(spec).filter((name) => !name.startsWith('/')).length),
      },
      Networks: { heading: 'NETWORKS', value: ({ spec }) => spec?.network.mode ?? '' },
    },
    methods: { Label: ({ summary: { labels } }, name) => (Object.hasOwn(labels, name) ? (labels[name] ?? '') : '') },
  }
}

/** `a=b,c=d`, in the order of the names. */
export function labelsText(labels: Readonly<Record<string, string>>): string {
  const names = Object.keys(labels).sort()
  return names.map((name) => `${name}=${labels[name]}`).join(',')
}

/** What a container has mounted, by the name of a volume or the path on the host. */
export function mountsOf(spec: ContainerSpec | null): readonly string[] {
  return (spec?.mounts ?? []).flatMap((mount) => (mount.type === 'volume' ? [mount.name] : 'source' in mount ? [mount.source] : []))
}

const STATUS_TEXTS: Readonly<Record<ContainerStatus, (summary: ContainerSummary, nowMs: number) => string>> = {
  created: () => 'Created',
  running: (summary, nowMs) => upSince(summary, nowMs, healthOf(summary)),
  paused: (summary, nowMs) => upSince(summary, nowMs, 'Paused'),
  restarting: (summary, nowMs) => `Restarting ${endedSince(summary, nowMs)}`,
  exited: (summary, nowMs) => `Exited ${endedSince(summary, nowMs)}`,
  dead: () => 'Dead',
}

/** `Up 2 minutes`, `Exited (0) 3 seconds ago`, `Created`, `Dead`, as docker words it. */
export function statusOf(summary: ContainerSummary, nowMs = Date.now()): string {
  return STATUS_TEXTS[summary.status](summary, nowMs)
}

/** Docker's words in a status. */
function healthOf({ health }: ContainerSummary): string | undefined {
  return health === 'starting' ? 'health: starting' : (health ?? undefined)
}

/** `remark` as docker has it behind: `Paused`, `healthy`. */
function upSince({ startedAt }: ContainerSummary, nowMs: number, remark?: string): string {
  return `Up ${humanDuration(nowMs - (startedAt?.getTime() ?? nowMs))}${remark === undefined ? '' : ` (${remark})`}`
}

/** `(1) 3 seconds ago`; without a time where nobody saw the end. */
function endedSince({ finishedAt, exit }: ContainerSummary, nowMs: number): string {
  const when = finishedAt === null ? '' : ` ${humanDuration(nowMs - finishedAt.getTime())} ago`
  return `(${exit?.exitCode ?? 0})${when}`
}

/** `12kB (virtual 34MB)`: what it has written, and that with its image. */
function sizeText(size: ContainerSize | null): string {
  if (size === null) return humanSize(0)
  return `${humanSize(size.writtenBytes)} (virtual ${humanSize(size.imageBytes + size.writtenBytes)})`
}
