/** Why something cannot be measured here; a row that says so, never a gap. */
export class Unavailable extends Error {
  override readonly name = 'Unavailable'
}

/** Throws {@link Unavailable} unless `condition`. */
export function require(condition: unknown, reason: string): asserts condition {
  if (!condition) throw new Unavailable(reason)
}
