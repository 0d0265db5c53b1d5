import { Unavailable } from '../unavailable.js'
import { type Column, WAITING_GUEST } from './column.js'
import { guestOf } from './guest.js'

/** A guest that waits is killed by the kernel; what is measured is the rest. */
export const kill: Column = {
  name: 'kill',
  summary: 'SIGKILL to a running guest, until the command that started it has ended and left nothing',
  unit: 'ms',
  rounds: 10,
  quickRounds: 1,
  open: async ({ place }) => {
    const { driver, foreignGuests } = place
    if (foreignGuests !== undefined) throw new Unavailable(foreignGuests)
    return async () => {
      const [program, ...words] = await place.command(WAITING_GUEST)
      const before = new Set(driver.running())
      const pid = await driver.start(program, words)
      return (await driver.kill(pid, guestOf(driver, pid, before))).durationMs
    }
  },
}
