import { readFileSync } from 'node:fs'

/**
 * Reading the text files of /proc/PID. The same functions read what the launcher collected inside and what is seen from
 * outside, so that the two can be compared value by value.
 */

/** One line of mountinfo, as proc_pid_mountinfo(5) numbers its fields. */
export interface MountLine {
  /** `major:minor` of the file system. */
  readonly device: string
  /** Which directory of that file system is mounted. */
  readonly root: string
  readonly mountPoint: string
  readonly options: string
  /** `shared:N`, `master:N`, … */
  readonly optionalFields: readonly string[]
  readonly fileSystem: string
  readonly superOptions: string
}

/** Lines of a mountinfo file, in the kernel's order: a later mount on the same point hides an earlier one. */
export function parseMountinfo(text: string): MountLine[] {
  return linesOf(text).map((line) => {
    const fields = line.split(' ')
    const separator = fields.indexOf('-', 6)
    const [, , device = '', root = '', mountPoint = '', options = ''] = fields
    return {
      device,
      root: unescapeOctal(root),
      mountPoint: unescapeOctal(mountPoint),
      options,
      optionalFields: fields.slice(6, separator),
      fileSystem: fields[separator + 1] ?? '',
      superOptions: fields[separator + 3] ?? '',
    }
  })
}

/** `/proc/PID/status` as a table of its fields; the values keep the kernel's spelling. */
export function parseStatus(text: string): ReadonlyMap<string, string> {
  return new Map(
    linesOf(text).map((line) => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon), line.slice(colon + 1).trim()]
    }),
  )
}

/** Soft values of `/proc/PID/limits` by the names written there; `unlimited` is -1. */
export function parseLimits(text: string): Record<string, number> {
  return limitColumn(text, 2)
}

/** Hard values, likewise. */
export function parseHardLimits(text: string): Record<string, number> {
  return limitColumn(text, 3)
}

let own: Record<string, number> | undefined

/** Hard limits of this process, by their names in /proc/self/limits; -1 for unlimited. Read once. */
export function ownHardLimits(): Readonly<Record<string, number>> {
  return (own ??= parseHardLimits(readFileSync('/proc/self/limits', 'latin1')))
}

function limitColumn(text: string, column: 2 | 3): Record<string, number> {
  const limits: Record<string, number> = {}
  for (const line of linesOf(text).slice(1)) {
    const match = /^(.+?)\s{2,}(unlimited|\d+)\s+(unlimited|\d+)\s/.exec(line)
    if (match?.[1] !== undefined) limits[match[1]] = match[column] === 'unlimited' ? -1 : Number(match[column])
  }
  return limits
}

/** An extent of an id map: first id inside, first id outside, count (user_namespaces(7)). */
export type IdExtent = readonly [inside: number, outside: number, count: number]

/** Extents of `/proc/PID/uid_map` or `gid_map`. */
export function parseIdMap(text: string): IdExtent[] {
  return linesOf(text).map((line) => {
    const [inside = 0, outside = 0, count = 0] = numbersOf(line)
    return [inside, outside, count] as const
  })
}

/** What of `/proc/PID/stat` tells one process from a later one with the same number. */
export interface ProcessIdentity {
  readonly pid: number
  /** Id of its session. */
  readonly session: number
  /** Clock ticks from boot to its start. */
  readonly startTime: number
  /** One letter; `Z` for a process that is gone but not yet waited for. */
  readonly state: string
}

/** Fields of `/proc/PID/stat`. The command's name stands in parentheses and may hold anything, so fields count from the last one. */
export function parseStat(text: string): ProcessIdentity {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return { pid: Number.parseInt(text, 10), state: fields[0] ?? '', session: Number(fields[3]), startTime: Number(fields[19]) }
}

/** Whole numbers in a line, in order. */
export function numbersOf(line: string): number[] {
  return line
    .trim()
    .split(/\s+/)
    .filter((word) => word !== '')
    .map(Number)
}

function linesOf(text: string): string[] {
  return text.split('\n').filter((line) => line !== '')
}

/** The kernel writes space, tab, newline and backslash of paths as three octal digits. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))
}
