/** Gives numbers in [0, 1), the same ones for the same seed. */
export type Random = () => number

/** A generator by Marsaglia's xorshift: small, and good enough to shuffle and to draw samples. Seed 0 is made 1. */
export function seededRandom(seed: number): Random {
  let state = seed | 0 || 1
  const next = () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 0x1_0000_0000
  }
  // Neighbouring seeds start alike; after some steps they no longer do.
  for (let step = 0; step < 20; step++) next()
  return next
}
