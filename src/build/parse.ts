/**
 * A Dockerfile's text as instructions: keyword, flags and the rest of each, with the lines it stands on. dockerfile-ast finds the escape. Where
 * instructions begin and end is told here, by docker's own rule for lines that go on: a `#` or `<<` within an argument makes
 * dockerfile-ast lose its place, and to ask it again from each such place would take the square of the file's length.
 */
import { DockerfileParser } from 'dockerfile-ast'
import { EngineError } from '../errors.js'
import type { EscapeCharacter } from '../image/expand.js'
import { locate, type Source } from './source.js'

/** `--name=value` before an instruction's arguments. */
export interface Flag {
  readonly name: string
  /** Null for a flag without `=`. */
  readonly value: string | null
}

/** One instruction as it is written. */
export interface WrittenInstruction {
  /** In capitals. */
  readonly keyword: string
  readonly flags: readonly Flag[]
  /** What follows the keyword and the flags: lines joined, comments left out. Never empty. */
  readonly rest: string
  readonly source: Source
}

/** A Dockerfile as it is written. */
export interface WrittenDockerfile {
  readonly escapeCharacter: EscapeCharacter
  readonly instructions: readonly WrittenInstruction[]
}

/** Longest Dockerfile: a megabyte of text is no recipe. */
export const MAXIMUM_DOCKERFILE_BYTES = 1 << 20

const COMMENT = /^\s*#/

/** Reads a Dockerfile. Throws INVALID_ARGUMENT with the line, NOT_BUILT for here-documents. `file` is how messages call it. */
export function parseDockerfile(text: string, file: string): WrittenDockerfile {
  if (text.length > MAXIMUM_DOCKERFILE_BYTES)
    throw new EngineError('LIMIT_EXCEEDED', `${file} has more than ${MAXIMUM_DOCKERFILE_BYTES} characters`)
  const lines = text.replace(/^\ufeff/, '').split(/\r?\n/)
  const escapeCharacter: EscapeCharacter = DockerfileParser.parse(lines.join('\n')).getEscapeCharacter() === '`' ? '`' : '\\'
  const instructions: WrittenInstruction[] = []
  for (const [first, last] of spans(lines, escapeCharacter))
    instructions.push(readInstruction(lines, first, last, { escapeCharacter, file }))
  if (instructions.length === 0)
    throw new EngineError('INVALID_ARGUMENT', `${file} has no instructions`, { hint: 'A Dockerfile begins with FROM.' })
  return { escapeCharacter, instructions }
}

/** First and last line of each instruction, counted from 0. */
function* spans(lines: readonly string[], escapeCharacter: EscapeCharacter): Generator<readonly [number, number]> {
  let last = -1
  for (const [start, line] of lines.entries()) {
    if (start <= last || line.trim() === '' || COMMENT.test(line)) continue
    last = lastLine(lines, start, escapeCharacter)
    yield [start, last]
  }
}

function lastLine(lines: readonly string[], start: number, escapeCharacter: EscapeCharacter): number {
  let last = start
  for (let place = start; place < lines.length; place++) {
    const line = lines[place] ?? ''
    // Within an instruction, lines that are empty or a comment are passed over (docker warns of the former).
    if (place > start && (line.trim() === '' || COMMENT.test(line))) continue
    last = place
    if (!goesOn(line, escapeCharacter)) break
  }
  return last
}

/** An escape at the end, and spaces at most behind it, lets a line go on; two of them are one that does not. */
function goesOn(line: string, escapeCharacter: EscapeCharacter): boolean {
  const trimmed = line.replace(/[ \t]+$/, '')
  return trimmed.endsWith(escapeCharacter) && !trimmed.endsWith(escapeCharacter + escapeCharacter)
}

interface Reading {
  readonly escapeCharacter: EscapeCharacter
  readonly file: string
}

function readInstruction(lines: readonly string[], first: number, last: number, { escapeCharacter, file }: Reading): WrittenInstruction {
  const text = lines
    .slice(first, last + 1)
    .filter((line, place) => place === 0 || (line.trim() !== '' && !COMMENT.test(line)))
    .map((line) => (goesOn(line, escapeCharacter) ? line.replace(/[ \t]+$/, '').slice(0, -1) : line))
    .join('')
    .trim()
  const source: Source = { file, line: first + 1, lastLine: last + 1, text }
  try {
    const [, keyword = '', after = ''] = /^(\S+)\s*(.*)$/s.exec(text) ?? []
    const { flags, rest } = readFlags(after)
    if (rest === '')
      throw new EngineError('INVALID_ARGUMENT', `${keyword.toUpperCase()} has nothing behind it`, {
        hint: 'Every instruction needs an argument.',
      })
    const instruction = { keyword: keyword.toUpperCase(), flags, rest, source }
    refuseHereDocument(instruction)
    return instruction
  } catch (error) {
    throw locate(error, source)
  }
}

function readFlags(text: string): { readonly flags: readonly Flag[]; readonly rest: string } {
  const flags: Flag[] = []
  let rest = text
  for (let match = /^--([a-z][\w-]*)(?:=("[^"]*"|\S*))?(?:\s+|$)/i.exec(rest); match !== null; ) {
    const [whole, name = '', value] = match
    flags.push({ name, value: value === undefined ? null : value.replace(/^"(.*)"$/, '$1') })
    rest = rest.slice(whole.length)
    match = /^--([a-z][\w-]*)(?:=("[^"]*"|\S*))?(?:\s+|$)/i.exec(rest)
  }
  return { flags, rest }
}

/** BuildKit's rule: a word that is `<<` and a name, whatever that is. */
function refuseHereDocument({ keyword, rest }: WrittenInstruction): void {
  if (!['RUN', 'COPY', 'ADD'].includes(keyword)) return
  const word = rest.split(/\s+/).find((candidate) => /^\d*<<-?[^<]+$/.test(candidate))
  if (word === undefined) return
  throw new EngineError('NOT_BUILT', `here-documents are not built yet: ${word}`, {
    hint:
      keyword === 'RUN'
        ? 'Join the lines: RUN first && \\ and go on in the next line.'
        : 'Write the text into a file of the build context and COPY that.',
  })
}
