import type { SavedReport } from '../saved-report.js'

/** A mode in two numbers: what a start costs, and in how many aspects the host is out of reach. */
export interface Outlook {
  readonly mode: string
  readonly startMs: number
  /** Of the aspects that are a question of yes and no, how many hold. */
  readonly held: number
  readonly asked: number
}

/** Of every mode that was measured and examined. */
export function outlooks({ workloads, matrix, protection }: SavedReport): readonly Outlook[] {
  const start = workloads.find(({ name }) => name === matrix[0])
  return protection.flatMap(({ mode, findings }) => {
    const median = start?.series.find(({ name }) => name === mode)?.median
    const asked = findings.filter(({ holds }) => holds !== null)
    if (median === null || median === undefined || asked.length === 0) return []
    return [{ mode, startMs: median.value, held: asked.filter(({ holds }) => holds).length, asked: asked.length }]
  })
}
