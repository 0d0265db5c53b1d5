import { readFile } from 'node:fs/promises'

/** How busy the machine was with the work of others while this process slept. */
export interface Quietness {
  /** Part of all processors' time, 0 to 1, that went to somebody; of a virtual machine also what its host took away (steal). */
  readonly busy: number
  /** Whether that is little enough for figures to quote. */
  readonly quiet: boolean
  /** How long it was waited for, milliseconds. */
  readonly waitedMs: number
}

/** How {@link waitForQuiet} goes about it. */
export interface QuietOptions {
  /** Part of the processors' time that others may have; 0.05 unless said. */
  readonly atMost?: number
  /** How long one look takes, milliseconds; 1000 unless said. */
  readonly lookMs?: number
  /** How long to wait in all, milliseconds; 30,000 unless said. */
  readonly patienceMs?: number
  readonly signal?: AbortSignal
  /** Reads the kernel's counters; /proc/stat unless said. */
  readonly readCounters?: () => Promise<string>
  readonly sleep?: (milliseconds: number) => Promise<void>
}

const QUIET_ENOUGH = 0.05
const LOOK_MS = 1000
const PATIENCE_MS = 30_000

/** Waits until the machine does little else, and says when it does not come to that: such a run shows less than it seems to. */
export async function waitForQuiet(options: QuietOptions = {}): Promise<Quietness> {
  const read = options.readCounters ?? (() => readFile('/proc/stat', 'utf8'))
  const sleep = options.sleep ?? ((milliseconds) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds)))
  const lookMs = options.lookMs ?? LOOK_MS
  for (let waitedMs = lookMs; ; waitedMs += lookMs) {
    const before = processorTime(await read())
    await sleep(lookMs)
    const after = processorTime(await read())
    const busy = (after.busy - before.busy) / Math.max(1, after.total - before.total)
    const quiet = busy <= (options.atMost ?? QUIET_ENOUGH)
    if (quiet || waitedMs >= (options.patienceMs ?? PATIENCE_MS) || options.signal?.aborted) return { busy, quiet, waitedMs }
  }
}

/** Clock ticks since boot of all processors together, from the first line of /proc/stat (proc_stat(5)). */
function processorTime(stat: string): { readonly busy: number; readonly total: number } {
  const words = /^cpu +(.*)$/m.exec(stat)?.[1]?.split(' ').map(Number) ?? []
  const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0] = words
  const busy = user + nice + system + irq + softirq + steal
  return { busy, total: busy + idle + iowait }
}
