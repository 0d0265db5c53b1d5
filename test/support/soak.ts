/** Tests that go on for as long as they are let: `WOLFFIA_LONG_SECONDS` each, 60 unless said, from a seed that is printed. */
import { REPEATED, SEED } from './seed.js'

/** Random numbers that a seed repeats. */
export interface Random {
  /** A whole number from 0 to below `bound`. */
  below(bound: number): number
  pick<Item>(items: readonly Item[]): Item
  bytes(length: number): Uint8Array
}

const SECONDS = Number(process.env.WOLFFIA_LONG_SECONDS ?? 60)

/** Options of a soak test: a limit above what the soak itself takes. */
export const SOAK = { timeoutMs: (SECONDS + 120) * 1000 }

/** Mulberry32: one 32-bit state, good enough to vary tests. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return (mixed ^ (mixed >>> 14)) >>> 0
  }
  return {
    below: (bound) => next() % bound,
    pick: (items) => {
      const item = items[next() % items.length]
      if (item === undefined) throw new RangeError('nothing to pick from')
      return item
    },
    bytes: (length) => Uint8Array.from({ length }, () => next() & 0xff),
  }
}

/** Runs `round` with a new seed each time until the time is over; a failure names its seed, and `WOLFFIA_SEED` repeats it alone. */
export async function soak(round: (random: Random) => unknown): Promise<void> {
  const end = Date.now() + SECONDS * 1000
  let rounds = 0
  for (let seed = SEED; rounds === 0 || (REPEATED === null && Date.now() < end); seed++, rounds++) {
    try {
      await round(randomFrom(seed))
    } catch (error) {
      throw new Error(`WOLFFIA_SEED=${seed} fails: ${error instanceof Error ? error.stack : error}`, { cause: error })
    }
  }
  console.log(`${rounds} rounds from seed ${SEED}`)
}
