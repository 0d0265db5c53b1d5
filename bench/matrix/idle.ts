import { proportionalMib } from '../process-memory.js'
import { require } from '../unavailable.js'
import { type Cell, type Column, containersOf, WAITING_GUEST } from './column.js'
import { guestOf } from './guest.js'

const SETTLE_MS = 300
const MANY = 10
const QUICK_MANY = 2

/** A container that waits: all its processes, and those that stand beside it, by their proportional set sizes. */
export const idle: Column = idleColumn('idle', 'memory of a waiting container, with all that stands beside it (PSS)', () => 1)

/** The same of several at once, which share what they can: 1,024 over it fit into a GiB. */
export const density: Column = idleColumn('density', 'memory of each of ten that wait at once (two with --quick)', (quick) =>
  quick ? QUICK_MANY : MANY,
)

function idleColumn(name: string, summary: string, countOf: (quick: boolean) => number): Column {
  return {
    name,
    summary,
    unit: 'MiB',
    rounds: 3,
    quickRounds: 1,
    open: async (cell) => {
      const count = countOf(cell.workbench.quick)
      const isLeft = typeof cell.place.containers !== 'string'
      const start = isLeft ? background(cell, name) : foreground(cell)
      // What is there once for all, such as a holder, comes with the first; a machine for each has no such thing.
      if (isLeft && !cell.place.isSlowToStart) await (await start(0))()
      return async () => {
        const before = new Set(cell.place.driver.running())
        const ends: (() => Promise<void>)[] = []
        const look = async () => {
          for (let each = 1; each <= count; each++) ends.push(await start(each))
          await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
          const own = cell.place.driver.running().filter((pid) => !before.has(pid))
          const memory = own.reduce((sum, pid) => sum + proportionalMib(pid), 0) / count
          require(memory > 0, 'nothing of it runs below a process of ours')
          return memory
        }
        const [looked] = await Promise.allSettled([look()])
        // All of them, whatever has become of one.
        const ended = await Promise.allSettled(ends.map((end) => end()))
        for (const each of [...ended, looked]) if (each.status === 'rejected') throw each.reason
        return looked.status === 'fulfilled' ? looked.value : Number.NaN
      }
    },
  }
}

type Start = (number: number) => Promise<() => Promise<void>>

/** The mode's command with its guest, as somebody at a terminal has it. */
function foreground({ place }: Cell): Start {
  return async () => {
    const [program, ...words] = await place.command(WAITING_GUEST)
    const before = new Set(place.driver.running())
    const pid = await place.driver.start(program, words)
    // Now, while nothing else has come since.
    const guest = guestOf(place.driver, pid, before)
    return async () => void (await place.driver.kill(pid, guest))
  }
}

function background(cell: Cell, column: string): Start {
  const { start, remove, run } = containersOf(cell.place)
  return async (number) => {
    const name = `${cell.mode}-${column}-${number}`
    await run(await start(name, WAITING_GUEST))
    return async () => void (await run(remove(name)))
  }
}
