import { descendants } from '../process-memory.js'
import { type Column, WAITING_GUEST } from './column.js'

/** A guest that waits is killed by the kernel; what is measured is the rest. */
export const kill: Column = {
  name: 'kill',
  summary: 'SIGKILL to a running guest, until the command that started it has ended and left nothing',
  unit: 'ms',
  rounds: 10,
  quickRounds: 1,
  open: async ({ place }) => {
    const { driver } = place
    return async () => {
      const [program, ...words] = await place.command(WAITING_GUEST)
      const before = new Set(driver.running())
      const pid = await driver.start(program, words)
      // Where a supervisor has left its parent, the guest is no descendant of the command, but still the last that came.
      const guest =
        descendants(pid).at(-1) ??
        driver
          .running()
          .filter((each) => !before.has(each))
          .at(-1) ??
        pid
      return (await driver.kill(pid, guest)).durationMs
    }
  },
}
