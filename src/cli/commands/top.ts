import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { EngineError } from '../../errors.js'
import type { CliCommand } from '../command.js'
import { printable } from '../output.js'
import { type ProcessTable, processTable } from '../process-table.js'

const MAXIMUM_OUTPUT_BYTES = 64 * 1024 * 1024
/** As docker's tabwriter: columns of at least so many characters, so many between two. */
const COLUMN_CHARACTERS = 20
const GAP_CHARACTERS = 3

/** `wolffia top`: what this machine's ps says of a container's processes. */
export const command: CliCommand = {
  usage: 'CONTAINER [ps OPTIONS]',
  arity: [1, Number.POSITIVE_INFINITY],
  takesProgram: true,
  configure() {},
  async run([name = '', ...options]) {
    const { Engine } = await import('../../engine/engine.js')
    await using engine = await Engine.open()
    const pids = await (await engine.containers.get(name)).processes()
    // As docker: a word with spaces is several.
    const words = options.length === 0 ? ['-ef'] : options.join(' ').split(' ')
    // Some options do not go with -q: then all are asked for.
    const text = await ps(['-q', pids.join(','), ...words]).catch(() => ps(words))
    process.stdout.write(tabbed(processTable(text, new Set(pids))))
    return 0
  },
}

async function ps(words: readonly string[]): Promise<string> {
  const { COLUMNS: _width, ...env } = process.env
  try {
    return (await promisify(execFile)('ps', words, { env, maxBuffer: MAXIMUM_OUTPUT_BYTES })).stdout
  } catch (cause) {
    const { code, stderr = '', message } = cause as Error & { readonly code?: unknown; readonly stderr?: string }
    if (code === 'ENOENT')
      throw new EngineError('UNSUPPORTED_BY_HOST', 'there is no ps on this machine', {
        cause,
        hint: 'Debian has it in the package procps.',
      })
    const said = stderr.split('\n').find((line) => line.trim() !== '')
    throw new EngineError('INVALID_ARGUMENT', `error running ps: ${said ?? message}`, { cause, hint: '`man ps` has its options.' })
  }
}

function tabbed({ titles, rows }: ProcessTable): string {
  const lines = [titles, ...rows].map((line) => line.map(printable))
  const widths = titles.map((_title, column) =>
    Math.max(COLUMN_CHARACTERS, ...lines.map((line) => (line[column]?.length ?? 0) + GAP_CHARACTERS)),
  )
  return lines
    .map((line) => `${line.map((cell, column) => (column === line.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join('')}\n`)
    .join('')
}
