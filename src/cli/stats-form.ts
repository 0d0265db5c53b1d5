import type { Usage } from '../runtime/guest-processes.js'
import type { ListForm } from './format.js'
import { binarySize, humanSize } from './output.js'

/** A row of `stats`. */
export interface ListedUsage {
  /** As it was asked for; its id where all are shown. */
  readonly asked: string
  readonly id: string
  readonly name: string
  /** Null for one that does not run. */
  readonly usage: Usage | null
  /** The look before this one, which tells how much of the processor it uses; null at the first. */
  readonly before: Usage | null
}

/** How the use of containers is shown: docker's placeholders of `docker stats`. `whole` ids are not cut. */
export function statsForm({ whole }: { readonly whole: boolean }): ListForm<ListedUsage> {
  const pair = (left: string, right: string) => `${left} / ${right}`
  return {
    typeName: '*container.statsContext',
    columns: ['ID', 'Name', 'CPUPerc', 'MemUsage', 'MemPerc', 'NetIO', 'BlockIO', 'PIDs'],
    quiet: 'ID',
    fields: {
      Container: { heading: 'CONTAINER', value: ({ asked }) => asked },
      Name: { heading: 'NAME', value: ({ name }) => name },
      ID: { heading: 'CONTAINER ID', value: ({ id }) => (whole ? id : id.slice(0, 12)) },
      CPUPerc: { heading: 'CPU %', value: (item) => `${processorPercent(item).toFixed(2)}%` },
      MemUsage: {
        heading: 'MEM USAGE / LIMIT',
        value: ({ usage }) => pair(binarySize(usage?.memoryBytes ?? 0), binarySize(usage?.memoryLimitBytes ?? 0)),
      },
      MemPerc: { heading: 'MEM %', value: ({ usage }) => `${memoryPercent(usage).toFixed(2)}%` },
      NetIO: {
        heading: 'NET I/O',
        value: ({ usage }) => pair(humanSize(usage?.network.receivedBytes ?? 0), humanSize(usage?.network.sentBytes ?? 0)),
      },
      BlockIO: {
        heading: 'BLOCK I/O',
        value: ({ usage }) => pair(humanSize(usage?.block.readBytes ?? 0), humanSize(usage?.block.writtenBytes ?? 0)),
      },
      PIDs: { heading: 'PIDS', value: ({ usage }) => String(usage?.tasks ?? 0) },
    },
  }
}

/** Of one processor: two that are busy are 200. */
function processorPercent({ usage, before }: ListedUsage): number {
  if (usage === null || before === null || usage.atMs <= before.atMs) return 0
  // A process that has ended may have taken its time with it.
  return (Math.max(0, usage.cpuMs - before.cpuMs) / (usage.atMs - before.atMs)) * 100
}

function memoryPercent(usage: Usage | null): number {
  return usage === null || usage.memoryLimitBytes === 0 ? 0 : (usage.memoryBytes / usage.memoryLimitBytes) * 100
}
