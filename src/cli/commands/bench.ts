import { spawn } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { EngineError } from '../../errors.js'
import type { CliCommand } from '../command.js'
import { assertWritablePath } from '../output-file.js'

const DEFAULT_SEED = '1'
/** Sent to this process alone, which is not to end before its harness. */
const PASSED_ON = ['SIGTERM', 'SIGHUP'] as const
/** Beside the bundle of the command line. */
const HARNESS = join(dirname(fileURLToPath(import.meta.url)), 'bench.cjs')

/** `wolffia bench`: what isolation costs here and what it protects, each mode beside each other. A program of its own, so that no start pays for it. */
export const command: CliCommand = {
  usage: '[IMAGE [COMMAND] [ARG...]]',
  arity: [0, Number.POSITIVE_INFINITY],
  takesProgram: true,
  configure(parser) {
    parser
      .option('--quick', 'few rounds and small sizes: shows that everything works')
      .option('--json', 'print the whole run as JSON')
      .option('--html <file>', 'write the whole run as one page with plots')
      .option('--from <file>', 'print or draw a run that --json has written, instead of measuring')
      .option('--compare', 'compare two such runs: --compare OLD.json NEW.json')
      .option('--precision <percent>', 'go on until intervals are as narrow as this, up to four times the rounds')
      .option('--seed <number>', 'what orders, pauses and draws come from', DEFAULT_SEED)
  },
  async run(operands, { quick, json, html, from, compare, precision, seed }) {
    const isCompared = compare === true
    if (isCompared && operands.length !== 2)
      throw new EngineError('INVALID_ARGUMENT', '--compare takes two runs: --compare OLD.json NEW.json')
    if (isCompared && (html !== undefined || from !== undefined))
      throw new EngineError('INVALID_ARGUMENT', '--compare prints a table, or --json: neither --html nor --from goes with it')
    if (from !== undefined && operands.length > 0)
      throw new EngineError('INVALID_ARGUMENT', `--from measures nothing, so there is nothing to do with ${operands[0]}`)
    if (html !== undefined) assertWritablePath(String(html))
    const [image = null, ...words] = isCompared ? [] : operands
    const settings = {
      quick: quick === true,
      json: json === true,
      html: html ?? null,
      from: from ?? null,
      compare: isCompared ? operands : null,
      precision: part(precision),
      seed: whole(seed),
      image,
      command: words,
    }
    const child = spawn(process.execPath, ['--', HARNESS, JSON.stringify(settings)], { stdio: 'inherit' })
    // The terminal sends ^C to both; the harness ends with what there is.
    const ignore = () => {}
    process.on('SIGINT', ignore)
    const pass = (signal: NodeJS.Signals) => void child.kill(signal)
    for (const signal of PASSED_ON) process.on(signal, pass)
    try {
      return await new Promise<number>((resolve, reject) => child.on('error', reject).on('close', (code) => resolve(code ?? 1)))
    } finally {
      process.off('SIGINT', ignore)
      for (const signal of PASSED_ON) process.off(signal, pass)
    }
  },
}

function part(word: unknown): number | null {
  if (word === undefined) return null
  const percent = Number(String(word).replace(/%$/, ''))
  if (!(percent > 0 && percent < 100)) throw new EngineError('INVALID_ARGUMENT', `--precision takes percent, such as 2, not "${word}"`)
  return percent / 100
}

function whole(word: unknown): number {
  if (!/^\d{1,9}$/.test(String(word))) throw new EngineError('INVALID_ARGUMENT', `--seed takes a whole number, not "${word}"`)
  return Number(word)
}
