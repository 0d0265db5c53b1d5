import { type Column, containersOf, WAITING_GUEST } from './column.js'

/** One more program in a container that runs, by the mode's own command. */
export const exec: Column = {
  name: 'exec',
  summary: 'one more program in a running container, from its start to its exit',
  unit: 'ms',
  rounds: 20,
  quickRounds: 1,
  open: async (cell) => {
    const { start, exec: more, remove, run } = containersOf(cell)
    const container = `${cell.mode}-exec`
    await run(await start(container, WAITING_GUEST))
    cell.workbench.atEnd(async () => void (await run(remove(container)).catch(() => {})))
    const command = await more(container, ['/.bench/talk', 'exit'])
    return () => run(command)
  },
}

/** A container that waits, killed and taken away by the mode's own command. */
export const remove: Column = {
  name: 'remove',
  summary: 'a waiting container killed and taken away',
  unit: 'ms',
  rounds: 20,
  quickRounds: 1,
  open: async (cell) => {
    const { start, remove: away, run } = containersOf(cell)
    let count = 0
    return async () => {
      const name = `${cell.mode}-remove-${count++}`
      await run(await start(name, WAITING_GUEST))
      return run(away(name))
    }
  },
}
