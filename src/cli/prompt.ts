import { createInterface } from 'node:readline/promises'

/** Asks for a line at the terminal. Resolves with null at the end of input. */
export async function askLine(question: string): Promise<string | null> {
  const lines = createInterface({ input: process.stdin, output: process.stdout, terminal: true })
  const closed = new Promise<null>((resolve) => lines.once('close', () => resolve(null)))
  try {
    return await Promise.race([lines.question(question), closed])
  } finally {
    lines.close()
  }
}

const ENTER = ['\r', '\n']
const END_OF_INPUT = '\u0004'
const INTERRUPT = '\u0003'
const ERASE = ['\u007f', '\b']

/** Asks for a secret at the terminal, which does not show it. Resolves with null at the end of input, and after ^C. */
export function askSecret(question: string): Promise<string | null> {
  const { stdin, stdout } = process
  stdout.write(question)
  stdin.setRawMode(true)
  stdin.setEncoding('utf8')
  stdin.resume()
  return new Promise((resolve) => {
    let secret = ''
    const end = (answer: string | null) => {
      stdin.off('data', take)
      stdin.off('end', ended)
      stdin.setRawMode(false)
      stdin.pause()
      stdout.write('\n')
      resolve(answer)
    }
    const ended = () => end(null)
    const take = (text: string) => {
      for (const character of text) {
        const isOver = character === INTERRUPT || (character === END_OF_INPUT && secret === '')
        if (isOver || ENTER.includes(character)) {
          end(isOver ? null : secret)
          return
        }
        secret = ERASE.includes(character) ? [...secret].slice(0, -1).join('') : secret + character
      }
    }
    stdin.on('data', take)
    stdin.once('end', ended)
  })
}
