import { APPEND_MODULE, GUEST_FOLDER, LARGE_FILE, LARGE_FILE_MIB } from '../compile-guest.js'
import type { Column } from './column.js'
import { nanoseconds } from './work.js'

/** Of which an overlay copies all. A mode without layers changes the file of the tree itself. */
export const append: Column = {
  name: 'append',
  summary: `a byte appended to a file of ${LARGE_FILE_MIB} MiB that came with the tree, for the first time`,
  unit: 'ms',
  rounds: 6,
  quickRounds: 1,
  open: async ({ talk, workCommand, place: { attempt } }) => {
    const program = attempt === undefined ? `${GUEST_FOLDER}/append` : APPEND_MODULE
    return async () => nanoseconds((await talk([program, LARGE_FILE], { command: workCommand })).output) / 1e6
  },
}
