/**
 * What random tests begin from. `WOLFFIA_SEED` repeats one failure by the seed that it printed; `WOLFFIA_FIRST_SEED` is where a run begins: CI
 * takes it from what is in src/, so that sources which failed can be asked again. By hand each run has one of its own.
 */

/** The seed of the one case that is to be repeated; null when all are to run. */
export const REPEATED: number | null = process.env.WOLFFIA_SEED === undefined ? null : Number(process.env.WOLFFIA_SEED)

/** The seed of this run: 31 bits. */
export const SEED: number = REPEATED ?? Number(process.env.WOLFFIA_FIRST_SEED ?? Date.now() & 0x7fff_ffff)
