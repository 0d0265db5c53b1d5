import { EngineError } from '../errors.js'

/** What ps says of some processes. */
export interface ProcessTable {
  readonly titles: readonly string[]
  /** As many cells as titles; the last one has what is left of its line. */
  readonly rows: readonly (readonly string[])[]
}

/** The rows of ps's output that are about some processes, by docker's rules. Throws INVALID_ARGUMENT for an output that does not tell pids. */
export function processTable(text: string, pids: ReadonlySet<number>): ProcessTable {
  const [heading = '', ...lines] = text.split('\n')
  const titles = heading.split(/\s+/).filter(Boolean)
  const pidColumn = titles.indexOf('PID')
  if (pidColumn < 0)
    throw new EngineError('INVALID_ARGUMENT', "couldn't find PID field in ps output", { hint: 'Have it among the columns: -o pid,cmd' })
  const rows: string[][] = []
  let isInside = false
  for (const line of lines) {
    const cells = line.split(/\s+/).filter(Boolean)
    const pid = cells[pidColumn]
    if (pid === undefined) continue
    // The threads of the process above (ps -m).
    isInside = pid === '-' ? isInside : pids.has(Number(pid))
    if (isInside) rows.push([...cells.slice(0, titles.length - 1), cells.slice(titles.length - 1).join(' ')])
  }
  return { titles, rows }
}
