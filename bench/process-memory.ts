import { readdirSync, readFileSync } from 'node:fs'

/** Pids of all processes below one. */
export function descendants(pid: number): number[] {
  const parents = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({ pid: Number(name), parent: parentOf(Number(name)) }))
  const below = (ancestor: number): number[] =>
    parents.filter(({ parent }) => parent === ancestor).flatMap((child) => [child.pid, ...below(child.pid)])
  return below(pid)
}

/** Pid of a process's parent; 0 of one that has none here, or is gone. */
export function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)/m.exec(textOf(`/proc/${pid}/status`))?.[1] ?? 0)
}

/** The words that a process was started with; none of one that is gone. */
export function commandOf(pid: number): string[] {
  return textOf(`/proc/${pid}/cmdline`).split('\0').slice(0, -1)
}

/** A process's share of the machine's memory. */
export function proportionalMib(pid: number): number {
  const pages = /^Pss:\s+(\d+) kB/m.exec(textOf(`/proc/${pid}/smaps_rollup`))?.[1]
  // A process in a user namespace of its own may not be looked into from outside; its resident set is then more than its share.
  const resident = /^VmRSS:\s+(\d+) kB/m.exec(textOf(`/proc/${pid}/status`))?.[1]
  return Number(pages ?? resident ?? 0) / 1024
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
