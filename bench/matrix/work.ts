import type { Column } from './column.js'

interface Work {
  readonly name: string
  readonly summary: string
  /** The guest's words for an amount of work. */
  readonly words: (amount: number, directory: string) => readonly string[]
  readonly amount: number
  readonly quickAmount: number
  /** The work is its output, which has to go its usual way. */
  readonly isHeard?: boolean
}

const files = (what: string) => (amount: number, directory: string) => ['/.bench/files', what, `${directory}/files`, String(amount)]
const cpu = (what: string) => (amount: number) => ['/.bench/cpu', what, String(amount)]
const talk = (what: string) => (amount: number) => ['/.bench/talk', what, String(amount)]

/** What guests do and take the time of themselves: a row here, its C in `guests/`. */
const WORKS: readonly Work[] = [
  { name: 'hash', summary: 'SHA-256, MiB', words: cpu('sha256'), amount: 8, quickAmount: 4 },
  { name: 'n-body', summary: 'floating point, steps of five bodies', words: cpu('n-body'), amount: 200_000, quickAmount: 50_000 },
  { name: 'compress', summary: 'LZ77, MiB of text', words: cpu('compress'), amount: 16, quickAmount: 4 },
  { name: 'memory', summary: 'dependent reads over 16 MiB', words: cpu('memory'), amount: 1_000_000, quickAmount: 200_000 },
  { name: 'calls', summary: 'the cheapest system calls', words: talk('calls'), amount: 200_000, quickAmount: 20_000 },
  { name: 'small-reads', summary: 'open, read 4 KiB, close and stat of files', words: files('small'), amount: 1_000, quickAmount: 200 },
  { name: 'stat', summary: 'stat of files', words: files('stat'), amount: 1_000, quickAmount: 200 },
  { name: 'create', summary: 'new empty files', words: files('create'), amount: 1_000, quickAmount: 200 },
  { name: 'readdir', summary: 'a listing of so many names', words: files('list'), amount: 2_000, quickAmount: 500 },
  { name: 'large-read', summary: 'MiB in order, and pieces from all over', words: files('large-read'), amount: 32, quickAmount: 8 },
  { name: 'large-write', summary: 'MiB in order', words: files('large-write'), amount: 32, quickAmount: 8 },
  { name: 'pipe', summary: 'MiB through standard output', words: talk('out'), amount: 32, quickAmount: 4, isHeard: true },
]

/** A column for each; `quick` decides how much is done. */
export function works(quick: boolean): readonly Column[] {
  return WORKS.map(({ name, summary, words, isHeard = false, ...amounts }) => {
    const amount = quick ? amounts.quickAmount : amounts.amount
    return {
      name,
      summary: `${summary} (${amount})`,
      unit: 'ms',
      rounds: 6,
      quickRounds: 1,
      open: async ({ talk, place, workCommand }) => {
        const all = words(amount, place.writable)
        const command = isHeard ? place.command : workCommand
        return async () => nanoseconds((await talk(all, { command })).output) / 1e6
      },
    }
  })
}

/** The last line that a guest prints. Throws where it is no time. */
export function nanoseconds(output: string): number {
  const line = /(?:^|\n)(\d+)\n$/.exec(output.replaceAll('\r', ''))?.[1]
  if (line === undefined) throw new Error(`the guest told no time but ${JSON.stringify(output.slice(-80))}`)
  return Number(line)
}
