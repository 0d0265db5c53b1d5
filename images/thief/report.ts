/** What an attempt of the thief came to. */
export type Outcome = 'got' | 'stopped' | 'refused' | 'skipped'

/** One attempt of the thief: a line of its report. */
export interface Attempt {
  readonly name: string
  readonly outcome: Outcome
  readonly durationUs: number
  readonly got: number
  /** 0 where there is no number to want. */
  readonly wanted: number
  /** The way by which it came through, or the error that kept it out. */
  readonly note: string
}

/** The thief's report, as its README describes it. */
export interface ThiefReport {
  /** `linux` or `wasi`. */
  readonly platform: string
  readonly attempts: readonly Attempt[]
  /** False when the thief was killed before its end. */
  readonly complete: boolean
}

const OUTCOMES: readonly string[] = ['got', 'stopped', 'refused', 'skipped'] satisfies Outcome[]

/** Reads a report. Throws for a line that is not of the form: what the thief says comes from behind a wall. */
export function parseThiefReport(text: string): ThiefReport {
  const lines = text.split('\n').filter((line) => line !== '')
  const head = /^thief\/1\t(\w+)$/.exec(lines[0] ?? '')
  if (head?.[1] === undefined) throw new SyntaxError(`not a thief's report: ${JSON.stringify(lines[0] ?? '')}`)
  const attempts: Attempt[] = []
  let loot: number | null = null
  for (const line of lines.slice(1)) {
    const end = /^end\t(\d+)$/.exec(line)
    if (loot !== null) throw new SyntaxError(`a thief's report goes on after its end: ${JSON.stringify(line)}`)
    if (end) loot = Number(end[1])
    else attempts.push(parseAttempt(line))
  }
  if (loot !== null && loot !== attempts.filter(({ outcome }) => outcome === 'got').length)
    throw new SyntaxError(`a thief's report counts its loot wrongly: ${loot}`)
  return { platform: head[1], attempts, complete: loot !== null }
}

function parseAttempt(line: string): Attempt {
  const fields = /^([a-z-]+)\t([a-z]+)\t(\d{1,15})\t(\d{1,10})\/(\d{1,10})\t([ -~]{0,128})$/.exec(line)
  const [, name, outcome, durationUs, got, wanted, note] = fields ?? []
  if (name === undefined || outcome === undefined || !OUTCOMES.includes(outcome) || note === undefined)
    throw new SyntaxError(`not a line of a thief's report: ${JSON.stringify(line)}`)
  return { name, outcome: outcome as Outcome, durationUs: Number(durationUs), got: Number(got), wanted: Number(wanted), note }
}
