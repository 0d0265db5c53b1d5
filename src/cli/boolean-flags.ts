import type { Option } from 'commander'
import { UsageError } from './report.js'

const TRUE = /^(1|t|T|true|TRUE|True)$/
const FALSE = /^(0|f|F|false|FALSE|False)$/

/**
 * Words with `--rm=true` as `--rm`, and without `--rm=false` and what it takes back: docker's flags take such values, commander's do
 * not. Looks at the flags before the first argument only; the rest may be a guest's.
 */
export function settleBooleans(words: readonly string[], options: readonly Option[]): readonly string[] {
  const settled: string[] = []
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? ''
    if (!word.startsWith('-') || word === '-' || word === '--') return [...settled, ...words.slice(at)]
    const [, flag = '', value] = /^(--?[^=]+)=(.*)$/s.exec(word) ?? []
    const option = options.find(({ short, long }) => flag !== '' && (flag === short || flag === long))
    if (value === undefined || !option?.isBoolean()) {
      settled.push(word)
      if (takesNext(word, options)) settled.push(...words.slice(++at, at + 1))
    } else if (TRUE.test(value)) settled.push(flag)
    else if (FALSE.test(value)) remove(settled, option)
    else throw new UsageError(`invalid argument "${value}" for "${flag}" flag: it must be true or false`, { exitCode: 125 })
  }
  return settled
}

function remove(settled: string[], { short, long }: Option): void {
  const kept = settled.filter((word) => word !== short && word !== long)
  settled.splice(0, settled.length, ...kept)
}

/** Whether the word after this one is its value: `--name`, `-e`, and `-ite`. */
function takesNext(word: string, options: readonly Option[]): boolean {
  if (word.startsWith('--')) return options.some(({ long, required }) => required && long === word)
  const first = [...word.slice(1)].findIndex((letter) => options.some(({ short, required }) => required && short === `-${letter}`))
  return first >= 0 && first === word.length - 2
}
