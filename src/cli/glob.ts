import { EngineError } from '../errors.js'

/**
 * Whether `text` is what `pattern` means, by the rules of Go's path.Match, which docker's filters have: `*` and `?` stop at a slash,
 * `[a-z]` and `[^a-z]` are one character, a backslash takes the next as it is. Throws INVALID_ARGUMENT for a pattern that is none.
 */
export function matchesGlob(pattern: string, text: string): boolean {
  const parts = [...pattern.matchAll(/\*|\?|\[(\^?)((?:\\.|[^\]\\])+)\]|\\(.)|([^[\\])/gsu)]
  if (parts.map(([part]) => part).join('') !== pattern) throw invalid(pattern)
  const source = parts.map(([part, negation, set, escaped, plain]) => {
    if (part === '*') return '[^/]*'
    if (part === '?') return '[^/]'
    if (set !== undefined) return `[${negation}${set.replace(/[\^[]/g, '\\$&')}]`
    return literal(escaped ?? plain ?? '')
  })
  try {
    return new RegExp(`^${source.join('')}$`, 'su').test(text)
  } catch (cause) {
    throw invalid(pattern, cause)
  }
}

function invalid(pattern: string, cause?: unknown): EngineError {
  return new EngineError('INVALID_ARGUMENT', `invalid pattern: ${pattern}`, {
    cause,
    hint: 'It may have *, ?, [a-z] and \\ before one of these.',
  })
}

function literal(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
}
