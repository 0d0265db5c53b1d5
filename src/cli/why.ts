import { writeFileSync } from 'node:fs'
import { EngineError, messageOf } from '../errors.js'
import type { SystemCallReport, WatchedCall } from '../runtime/system-calls.js'
import type { CliOptions } from './command.js'
import { printable } from './output.js'

/** What `--why` does not see, in a sentence: whoever reads the list is not to take it for all there is. */
const UNSEEN =
  'What the kernel refused after the filter had let a call through (file permissions, capabilities, Landlock, read-only mounts, masked paths) is not listed.'

/** Where `--why` writes: a file that is opened before anything runs, stderr, or nowhere. Throws INVALID_ARGUMENT for a file that cannot be written. */
export function whyWriter({ why, whyFile }: CliOptions): ((report: SystemCallReport | null) => Promise<void>) | null {
  if (whyFile === undefined) return why === true ? (report) => say(whyTable(report)) : null
  if (whyFile === '-') return (report) => say(json(report))
  const path = String(whyFile)
  const write = (text: string) => {
    try {
      writeFileSync(path, text, { mode: 0o600 })
    } catch (cause) {
      throw new EngineError('INVALID_ARGUMENT', `cannot write what was refused to ${path}: ${messageOf(cause)}`, { cause })
    }
  }
  write('')
  return async (report) => write(json(report))
}

/** The list for people: most often refused first. */
export function whyTable(report: SystemCallReport | null): string {
  if (report === null) return 'wolffia: what was refused is not known: the watcher of its system calls did not answer at its end\n'
  const { calls, more } = report
  if (calls.length === 0) return `wolffia: the system call filter refused nothing. ${UNSEEN}\n`
  const sorted = [...calls].sort((left, right) => right.count - left.count)
  const rows = [
    ['TIMES', 'CALL', 'ANSWER', 'WALL'],
    ...sorted.map((call) => [String(call.count), callText(call), call.errno ?? 'allowed', 'seccomp']),
  ]
  const widths = rows[0]?.map((_cell, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0))) ?? []
  const lines = rows.map((row) => row.map((cell, at) => (at === row.length - 1 ? cell : cell.padEnd((widths[at] ?? 0) + 2))).join(''))
  const rest = more === 0 ? [] : [`and ${more} more calls, of kinds beyond these ${calls.length}`]
  return `${['wolffia: refused:', ...lines, ...rest, UNSEEN].join('\n')}\n`
}

/** As strace shows one: what is not known of the arguments is left out. */
export function callText({ call, values, paths }: Pick<WatchedCall, 'call' | 'values' | 'paths'>): string {
  const places = [...Object.keys(values), ...Object.keys(paths)].map(Number)
  const all = Array.from({ length: places.length === 0 ? 0 : Math.max(...places) + 1 }, (_, place) =>
    argumentText(values[place], paths[place]),
  )
  return `${call}(${all.join(', ')})`
}

function argumentText(value: number | undefined, path: string | undefined): string {
  if (path !== undefined) return path === '' ? '?' : printable(JSON.stringify(path))
  return value === undefined ? '…' : value < 10 ? String(value) : `0x${value.toString(16)}`
}

function json(report: SystemCallReport | null): string {
  return `${JSON.stringify({ ...report, wall: 'seccomp', complete: report !== null && report.more === 0, unseen: UNSEEN }, null, 2)}\n`
}

function say(text: string): Promise<void> {
  return new Promise((resolve) => process.stderr.write(text, () => resolve()))
}
