import { table } from '../report.js'
import type { ModeProtection } from './protection.js'

/** Cost's other side: a row for each mode, a column for each aspect; `!` where the host is within reach. */
export function protectionTable(protection: readonly ModeProtection[]): string {
  const found = protection.filter(({ failure }) => failure === null)
  const aspects = found[0]?.findings.map(({ aspect }) => aspect) ?? []
  const modes = found.map(({ mode }) => mode)
  const row = (aspect: string) => [
    aspect,
    ...found.map(({ findings }) => {
      const finding = findings.find((candidate) => candidate.aspect === aspect)
      return finding === undefined ? '-' : `${finding.text}${finding.holds === false ? ' !' : ''}`
    }),
  ]
  const rows = [['', ...modes], ...aspects.map(row), ['set up by', ...found.map(({ setUpBy }) => setUpBy)]]
  const turned = (rows[0] ?? []).map((_, column) => rows.map((cells) => cells[column] ?? ''))
  const half = Math.ceil(aspects.length / 2) + 1
  const parts = [turned.map((cells) => cells.slice(0, half)), turned.map((cells) => [cells[0] ?? '', ...cells.slice(half)])]
  const failures = protection.flatMap(({ mode, failure }) => (failure === null ? [] : [`${mode}: ${failure}\n`]))
  const details = protection.flatMap(({ mode, findings }) =>
    findings.flatMap(({ aspect, detail }) => (detail === undefined ? [] : [`${mode}, ${aspect}: ${detail}\n`])),
  )
  return `what a guest behind each can reach (! the host is within reach)\n${parts.map(table).join('\n')}${details.join('')}${failures.join('')}`
}
