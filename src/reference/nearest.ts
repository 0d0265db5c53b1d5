/**
 * The candidates a person most likely meant by `word`, best first and three at most: those it begins or that hold it, and those at
 * a small edit distance: one for every three letters or so.
 */
export function nearest(word: string, candidates: Iterable<string>): readonly string[] {
  const wanted = word.toLowerCase()
  if (wanted === '') return []
  const allowed = wanted.length <= 5 ? 1 : wanted.length <= 8 ? 2 : 3
  return [...new Set(candidates)]
    .map((candidate) => ({ candidate, distance: scoreOf(wanted, candidate.toLowerCase()) }))
    .filter(({ distance }) => distance <= allowed)
    .sort((one, other) => one.distance - other.distance || one.candidate.localeCompare(other.candidate))
    .slice(0, 3)
    .map(({ candidate }) => candidate)
}

/** `Did you mean "debian" or "python"?`, or undefined when nothing is near. */
export function didYouMean(word: string, candidates: Iterable<string>): string | undefined {
  const near = nearest(word, candidates).map((candidate) => `"${candidate}"`)
  return near.length === 0 ? undefined : `Did you mean ${near.join(' or ')}?`
}

function scoreOf(wanted: string, candidate: string): number {
  if (wanted.length >= 3 && candidate.includes(wanted)) return candidate.startsWith(wanted) ? 0.5 : 0.9
  return editDistance(wanted, candidate)
}

/** Insertions, deletions, replacements and swaps of neighbours that turn one word into the other. */
export function editDistance(one: string, other: string): number {
  let beforePrevious: number[] = []
  let previous = Array.from({ length: other.length + 1 }, (_, index) => index)
  for (let row = 1; row <= one.length; row++) {
    const current = [row]
    for (let column = 1; column <= other.length; column++) {
      const same = one[row - 1] === other[column - 1]
      let best = Math.min((previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1, (previous[column - 1] ?? 0) + (same ? 0 : 1))
      const swapped = row > 1 && column > 1 && one[row - 1] === other[column - 2] && one[row - 2] === other[column - 1]
      if (swapped) best = Math.min(best, (beforePrevious[column - 2] ?? 0) + 1)
      current.push(best)
    }
    beforePrevious = previous
    previous = current
  }
  return previous[other.length] ?? 0
}
