import type { Attempt } from '#images'
import { ellipsis, printable, type Style } from './output.js'
import type { Theft } from './theft.js'
import { wrapText } from './wrap-text.js'

const LABEL_WIDTH = 17
const COLUMN_WIDTH = 21
/** Of the whole page: terminals have at least 80 columns. */
const PAGE_WIDTH = 80

/** What each attempt is to the user, and what was got when it came through. */
const ATTEMPTS: Readonly<Record<string, { readonly label: string; readonly loot: (attempt: Attempt) => string }>> = {
  keys: { label: 'your keys', loot: ({ got, wanted }) => `${got} of ${wanted} files` },
  environment: { label: 'your secrets', loot: () => 'the token' },
  hostname: { label: "machine's name", loot: () => 'it' },
  processes: { label: 'your processes', loot: ({ got }) => `a list of ${got}` },
  'phone-home': { label: 'phone home', loot: () => 'through' },
  'write-outside': { label: 'your .bashrc', loot: () => 'a line into it' },
  kernel: { label: 'risky calls', loot: ({ got, wanted }) => `${got} of ${wanted}` },
  fork: { label: 'fork bomb', loot: ({ got, wanted }) => `${got} of ${wanted}` },
  disk: { label: 'fill the disk', loot: ({ got, wanted }) => `${got} of ${wanted} MiB` },
  memory: { label: 'fill the memory', loot: ({ got, wanted }) => `${got} of ${wanted} MiB` },
}

/** What an error means to somebody who asked for a thing. */
const PHRASES: Readonly<Record<string, string>> = {
  ENOENT: 'not there',
  EPERM: 'not permitted',
  EACCES: 'not permitted',
  ENOSYS: 'not permitted',
  EROFS: 'read-only',
  ECONNREFUSED: 'nobody answers',
  ETIMEDOUT: 'nobody answers',
  ENETUNREACH: 'no network',
  EAFNOSUPPORT: 'no network',
}

/** Several runs of the thief side by side, a line for each attempt; below, what this host lacks. */
export function theftTable(thefts: readonly Theft[], style: Style): string {
  const shown = thefts.filter(({ report }) => report !== null)
  const line = (label: string, say: (theft: Theft) => string) => `${label.padEnd(LABEL_WIDTH)}${shown.map(say).join('')}`.trimEnd()
  const lines = [
    line('', ({ wall }) => style.bold(cell(wall))),
    ...Object.keys(ATTEMPTS).map((name) => line(ATTEMPTS[name]?.label ?? name, (theft) => attemptCell(theft, name, style))),
    line('seen outside', (theft) => tracesCell(theft, style)),
    line('got', (theft) => lootCell(theft, style)),
    line('took', ({ durationMs }) => cell(`${Math.round(durationMs)} ms`)),
  ]
  return `${lines.join('\n')}\n${thefts.map((theft) => footnote(theft, style)).join('')}`
}

/** A wall that is missing here, or a limit, with its way out. */
function footnote({ wall, absent, note }: Theft, style: Style): string {
  const sentence =
    absent !== null ? `${wall}: left out. ${absent}` : note !== null ? `${wall}: the memory is not limited here: ${note}` : null
  return sentence === null ? '' : `\n${style.yellow(wrapText(printable(sentence), PAGE_WIDTH))}\n`
}

function cell(text: string): string {
  return ellipsis(printable(text), COLUMN_WIDTH - 1).padEnd(COLUMN_WIDTH)
}

function attemptCell({ report }: Theft, name: string, style: Style): string {
  const attempt = report?.attempts.find((candidate) => candidate.name === name)
  if (attempt === undefined) return style.green(cell('killed before that'))
  if (attempt.outcome === 'got') return style.red(cell(`GOT ${ATTEMPTS[name]?.loot(attempt) ?? ''}`))
  if (attempt.outcome === 'stopped') return style.green(cell(`stopped at ${attempt.got} of ${attempt.wanted}`))
  if (name === 'kernel' && attempt.wanted > 0) return style.green(cell(`none of ${attempt.wanted}`))
  return style.green(cell(PHRASES[attempt.note] ?? attempt.note))
}

function tracesCell({ traces }: Theft, style: Style): string {
  const found = [...(traces?.fileChanged ? ['.bashrc'] : []), ...((traces?.connections ?? 0) > 0 ? ['a call'] : [])]
  return found.length > 0 ? style.red(cell(found.join(', '))) : style.green(cell('no trace'))
}

function lootCell({ report }: Theft, style: Style): string {
  const attempts = report?.attempts ?? []
  const got = attempts.filter(({ outcome }) => outcome === 'got').length
  const text = style.bold(cell(`${got} of ${attempts.length}`))
  return got > 0 ? style.red(text) : style.green(text)
}
