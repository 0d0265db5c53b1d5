import { args } from '../../../wasm/wasi/process'

/** Where to look and how far to go: the words `name=value` of the command line. A word that is missing leaves its attempt out. */
export class Errand {
  home: string = ''
  outside: string = ''
  scratch: string = ''
  secret: string = ''
  hostname: string = ''
  port: i32 = 0
  forks: i32 = 0
  memoryMib: i32 = 0
  diskMib: i32 = 0
}

/** Reads the command line; the first word that is none of its own, or an empty one. */
export function readErrand(errand: Errand): string {
  const words = args()
  for (let index = 1; index < words.length; index++) if (!readWord(errand, words[index])) return words[index]
  return ''
}

function readWord(errand: Errand, word: string): bool {
  const equals = word.indexOf('=')
  const value = equals < 0 ? '' : word.substring(equals + 1)
  if (value == '') return false
  const name = word.substring(0, equals)
  if (name == 'home') errand.home = value
  else if (name == 'outside') errand.outside = value
  else if (name == 'scratch') errand.scratch = value
  else if (name == 'secret') errand.secret = value
  else if (name == 'hostname') errand.hostname = value
  else return readNumber(errand, name, value)
  return true
}

function readNumber(errand: Errand, name: string, value: string): bool {
  const number = toNumber(value)
  if (number < 1 || number > 65535) return false
  if (name == 'port') errand.port = number
  else if (name == 'forks') errand.forks = number
  else if (name == 'memory') errand.memoryMib = number
  else if (name == 'disk') errand.diskMib = number
  else return false
  return true
}

function toNumber(text: string): i32 {
  let number = 0
  for (let index = 0; index < text.length; index++) {
    const digit = text.charCodeAt(index) - 48
    if (digit < 0 || digit > 9 || number > 65535) return -1
    number = number * 10 + digit
  }
  return number
}
