import type { Option } from 'commander'
import { UsageError } from './report.js'

const TRUE = /^(1|t|T|true|TRUE|True)$/
const FALSE = /^(0|f|F|false|FALSE|False)$/

/**
 * Words with the flags as commander reads them, of flags as docker's (pflag) are written: `--rm=true` is `--rm`, `--rm=false` takes it
 * back (or is `--no-rm`, where a command has that), `-w=/tmp` is `-w/tmp`, and `-it=false` is `-i` with -t taken back. Where a command
 * `takesProgram`, only the flags before the first argument are looked at: the rest may be a guest's.
 */
export function settleFlags(
  words: readonly string[],
  options: readonly Option[],
  { takesProgram }: { readonly takesProgram: boolean },
): readonly string[] {
  const settled: string[] = []
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? ''
    const isFlag = word.startsWith('-') && word !== '-'
    if (word === '--' || (!isFlag && takesProgram)) return [...settled, ...words.slice(at)]
    if (!isFlag) {
      settled.push(word)
      continue
    }
    const takesNext = word.startsWith('--') ? settleLong(settled, word, options) : settleShort(settled, word, options)
    if (takesNext) settled.push(...words.slice(++at, at + 1))
  }
  return settled
}

/** Whether the word after this one is its value. */
function settleLong(settled: string[], word: string, options: readonly Option[]): boolean {
  const [, flag = word, value] = /^([^=]+)=(.*)$/s.exec(word) ?? []
  const option = options.find(({ long }) => long === flag)
  if (value !== undefined && option !== undefined && isSwitch(option)) settleTruth(settled, options, { option, flag, value })
  else settled.push(word)
  return value === undefined && option?.required === true
}

/** The same for a word of one flag or several, each its letter; the first that takes a value has the rest. */
function settleShort(settled: string[], word: string, options: readonly Option[]): boolean {
  for (let at = 1; at < word.length; at++) {
    const flag = `-${word[at]}`
    const rest = word.slice(at + 1)
    // As pflag: a lone "=" is a value.
    const value = rest.length > 1 && rest.startsWith('=') ? rest.slice(1) : undefined
    const option = options.find(({ short }) => short === flag)
    if (option === undefined && /\d/.test(flag)) throw unknownNumber(flag, word, options)
    if (option === undefined || !isSwitch(option)) {
      settled.push(`${flag}${option?.required ? (value ?? rest) : rest}`)
      return option?.required === true && rest === ''
    }
    if (value !== undefined) {
      settleTruth(settled, options, { option, flag, value })
      return false
    }
    settled.push(flag)
  }
  return false
}

/** Whether an option takes no value; `--no-trunc` is one as `--rm` is. */
function isSwitch({ required, optional }: Option): boolean {
  return !required && !optional
}

/** `-9`, which the parser takes for an argument. */
function unknownNumber(flag: string, word: string, options: readonly Option[]): UsageError {
  const takesSignal = options.some(({ long }) => long === '--signal')
  return new UsageError(`unknown shorthand flag: '${flag.slice(1)}' in ${word}`, {
    exitCode: 125,
    hint: takesSignal ? `Name the signal with -s: -s ${word.slice(1)}` : undefined,
  })
}

interface Truth {
  readonly option: Option
  readonly flag: string
  readonly value: string
}

function settleTruth(settled: string[], options: readonly Option[], { option: { short, long }, flag, value }: Truth): void {
  if (TRUE.test(value)) settled.push(flag)
  else if (!FALSE.test(value))
    throw new UsageError(`invalid argument "${value}" for "${flag}" flag: it must be true or false`, { exitCode: 125 })
  else {
    const kept = settled.filter((word) => word !== short && word !== long)
    const opposite = options.find((option) => option.long === long?.replace(/^--/, '--no-'))
    settled.splice(0, settled.length, ...kept, ...(opposite?.long === undefined ? [] : [opposite.long]))
  }
}
