import { readFileSync } from 'node:fs'
import { EngineError, messageOf } from '../errors.js'
import { invalidFlag } from './invalid-flag.js'

/** Variables of files and of `NAME[=VALUE]`, those without a value from our own. Throws INVALID_ARGUMENT. */
export function environmentOf(
  files: readonly string[],
  assignments: readonly string[],
  own: NodeJS.ProcessEnv,
): Readonly<Record<string, string>> {
  // No object: one of the names may be __proto__.
  const result = new Map<string, string>()
  for (const assignment of [...files.flatMap((path) => linesOfFile(path, '--env-file')), ...assignments]) {
    const at = assignment.indexOf('=')
    if (at === 0 || assignment === '')
      throw invalidFlag(
        assignment,
        '-e, --env',
        'a variable needs a name before "="',
        'Write -e NAME=VALUE, or -e NAME for the value that it has here.',
      )
    const name = at < 0 ? assignment : assignment.slice(0, at)
    const value = at < 0 ? own[name] : assignment.slice(at + 1)
    if (value !== undefined) result.set(name, value)
  }
  return Object.fromEntries(result)
}

/** What --label-file and -l say. Throws INVALID_ARGUMENT. */
export function labelsOf(files: readonly string[], given: readonly string[]): Readonly<Record<string, string>> {
  const labels = [...files.flatMap((path) => linesOfFile(path, '--label-file')), ...given]
  return Object.fromEntries(
    labels.map((label) => {
      const at = label.indexOf('=')
      if (at === 0 || label === '') throw invalidFlag(label, '-l, --label', 'a label needs a name', 'Write -l NAME=VALUE.')
      return at < 0 ? [label, ''] : [label.slice(0, at), label.slice(at + 1)]
    }),
  )
}

/** Lines of `NAME[=VALUE]` but for empty ones and comments. */
function linesOfFile(path: string, flag: '--env-file' | '--label-file'): readonly string[] {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    throw new EngineError('INVALID_ARGUMENT', `cannot read ${flag} ${path}: ${messageOf(cause)}`, { cause })
  }
  return text
    .replace(/^\ufeff/, '')
    .split(/\r?\n/)
    .map((line) => line.trimStart())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const name = line.split('=', 1)[0] ?? ''
      if (/\s/.test(name)) throw invalidFlag(path, flag, `${flag === '--env-file' ? 'variable' : 'label'} "${name}" contains whitespace`)
      return line
    })
}
