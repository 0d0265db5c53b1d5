import { parseArgs } from 'node:util'

/** What the words behind `npm run bench --` ask for. */
export interface Words {
  /** Names of workloads, `workloads` for all of them, `matrix` or `targets` alone. */
  readonly what: readonly string[]
  readonly quick: boolean
  readonly list: boolean
  readonly help: boolean
  /** Part of the names of the matrix's columns, or of the rows of the targets; empty for all. */
  readonly only: string
  readonly seed: number
  readonly precision: number | null
  readonly json: boolean
  /** File for the page, or null. */
  readonly html: string | null
  /** Folder for the pictures that README.md shows, or null. */
  readonly plots: string | null
  /** Reports to compare instead of measuring, and with `from` the one to print or draw again. */
  readonly compare: readonly [string, string] | null
  readonly from: string | null
}

export const USAGE = `npm run bench [-- OPTIONS]                    the matrix: every mode, what it costs and what it protects
npm run bench -- --only WORD [OPTIONS]        columns with a word alone, without what the modes protect
npm run bench -- workloads [OPTIONS]          every other workload, its subjects side by side
npm run bench -- WORKLOAD … [OPTIONS]         some of them (--list names them)
npm run bench -- protection                   what each mode protects, and nothing of what it costs
npm run bench -- targets [--only WORD]        judge the targets: met, missed, or why not measured
npm run bench -- attacks                      what a native guest must not be able to do, against ours and other runtimes
npm run bench -- wasm-attacks                 what a module must not be able to do, against ours and other engines
npm run bench -- planted                      whether two runs' comparison finds a slow-down of 10 % and claims none of 1 %
npm run bench -- --compare OLD.json NEW.json  what has changed between two runs
npm run bench -- --from RUN.json [--html F]   print or draw a run once more

--quick        few rounds and small sizes: shows that everything works
--precision P  go on until intervals are within P percent, up to four times the rounds
--seed N       what orders, pauses and draws come from (1)
--json         the whole run as JSON, schema in bench/report.schema.json
--html FILE    the whole run as one page
--plots FOLDER the pictures of README.md, from the matrix
--list         name the columns and modes of the matrix, and the workloads
`

const DEFAULT_SEED = 1
/** Words that `--only` chooses among. */
const CHOOSABLE: readonly string[] = ['matrix', 'targets']
/** Words that take no other beside them. */
const ALONE: readonly string[] = ['matrix', 'planted', 'protection', 'targets', 'workloads', 'wasm-attacks']

/** Reads the words. Throws TypeError or RangeError, with what is wrong. */
export function parseWords(args: readonly string[]): Words {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
      json: { type: 'boolean', default: false },
      compare: { type: 'boolean', default: false },
      only: { type: 'string', default: '' },
      seed: { type: 'string', default: String(DEFAULT_SEED) },
      precision: { type: 'string' },
      html: { type: 'string' },
      plots: { type: 'string' },
      from: { type: 'string' },
    },
  })
  if (!/^\d{1,9}$/.test(values.seed)) throw new RangeError(`--seed takes a whole number, not "${values.seed}"`)
  const [older, newer, ...more] = positionals
  if (values.compare && (older === undefined || newer === undefined || more.length > 0))
    throw new RangeError('--compare takes two reports: --compare OLD.json NEW.json')
  const [first = 'matrix'] = positionals
  if (values.only !== '' && (!CHOOSABLE.includes(first) || values.compare))
    throw new RangeError('--only chooses among the columns of the matrix, or among the targets: targets --only WORD')
  if (ALONE.includes(first) && positionals.length > 1)
    throw new RangeError(`${first} stands alone, without ${positionals.slice(1).join(' ')}`)
  return {
    what: values.compare ? [] : positionals.length === 0 ? ['matrix'] : positionals,
    quick: values.quick,
    list: values.list,
    help: values.help,
    only: values.only,
    seed: Number(values.seed),
    precision: values.precision === undefined ? null : percent(values.precision),
    json: values.json,
    html: values.html ?? null,
    plots: values.plots ?? null,
    compare: values.compare && older !== undefined && newer !== undefined ? [older, newer] : null,
    from: values.from ?? null,
  }
}

function percent(word: string): number {
  const value = Number(word.replace(/%$/, ''))
  if (!(value > 0 && value < 100)) throw new RangeError(`--precision takes percent, such as 2, not "${word}"`)
  return value / 100
}
