import type { Column } from './column.js'

const TURNS = 1000
const QUICK_TURNS = 50

/** A byte to the guest and one back. */
export const echo: Column = {
  name: 'echo',
  summary: 'a byte to the guest through a pipe and one back',
  unit: 'ms',
  rounds: 6,
  quickRounds: 1,
  open: async ({ talk, workbench }) => {
    const turns = workbench.quick ? QUICK_TURNS : TURNS
    return async () => (await talk(['/.bench/talk', 'echo'], { turns })).turnsMs / turns
  },
}
