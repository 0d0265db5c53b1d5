/** One way in that a registry offers with 401: `Bearer realm="https://…",service="…"` (RFC 9110, 11.6.1). */
export interface Challenge {
  /** In lower case: `basic`, `bearer`. */
  readonly scheme: string
  /** By their names in lower case. */
  readonly parameters: ReadonlyMap<string, string>
}

/** Longest header that is looked at. */
const MAXIMUM_LENGTH = 16 * 1024

const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y
const QUOTED = /"((?:[^"\\]|\\.)*)"/y
const BLANKS = /[ \t]*/y
const COMMAS = /[ \t,]*/y

/** Reads `WWW-Authenticate`, in which commas stand between challenges and between parameters alike. What cannot be read ends it. */
export function parseChallenges(header: string): readonly Challenge[] {
  const challenges: Challenge[] = []
  if (header.length > MAXIMUM_LENGTH) return challenges
  let at = 0
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at
    const match = pattern.exec(header)
    if (match !== null) at = pattern.lastIndex
    return match
  }
  let parameters: Map<string, string> | null = null
  for (take(COMMAS); at < header.length; take(COMMAS)) {
    const word = take(TOKEN)?.[0]
    if (word === undefined) break
    take(BLANKS)
    if (header[at] !== '=' || parameters === null) {
      parameters = new Map()
      challenges.push({ scheme: word.toLowerCase(), parameters })
      continue
    }
    at++
    take(BLANKS)
    const quoted = take(QUOTED)
    const value = quoted === null ? take(TOKEN)?.[0] : quoted[1]?.replace(/\\(.)/g, '$1')
    if (value === undefined) break
    const name = word.toLowerCase()
    // The first one counts: what is said twice would be read differently by others.
    if (!parameters.has(name)) parameters.set(name, value)
  }
  return challenges
}
