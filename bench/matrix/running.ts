import { type Column, containersOf, leftRunning, WAITING_GUEST } from './column.js'

/** One more program in a container that runs, by the mode's own command. */
export const exec: Column = {
  name: 'exec',
  summary: 'one more program in a running container, from its start to its exit',
  unit: 'ms',
  rounds: 10,
  quickRounds: 1,
  open: async ({ workbench, place, mode }) => {
    const { exec: more, run } = containersOf(place)
    const command = await more(await leftRunning(workbench, place, mode), ['/.bench/talk', 'exit'])
    return () => run(command)
  },
}

/** A container that waits, killed and taken away by the mode's own command. */
export const remove: Column = {
  name: 'remove',
  summary: 'a waiting container killed and taken away',
  unit: 'ms',
  rounds: 10,
  quickRounds: 1,
  open: async (cell) => {
    const { start, remove: away, run } = containersOf(cell.place)
    let count = 0
    return async () => {
      const name = `${cell.mode}-remove-${count++}`
      await run(await start(name, WAITING_GUEST))
      return run(away(name))
    }
  },
}
