import type { Driver } from '../driver.js'
import { commandOf, descendants } from '../process-memory.js'
import { WAITING_GUEST } from './column.js'

/**
 * The process of a waiting guest whose command was started as `pid`: by what it runs where it is a program, and the last below the command
 * where a process runs it as a module. `before` is what ran below the driver earlier: where a supervisor has left its parent, the guest is
 * no descendant of the command, but still one that came since.
 */
export function guestOf(driver: Driver, pid: number, before: ReadonlySet<number>): number {
  const below = descendants(pid)
  const since = driver.running().filter((each) => !before.has(each))
  return [...below, ...since].find((each) => commandOf(each)[0] === WAITING_GUEST[0]) ?? below.at(-1) ?? since.at(-1) ?? pid
}
