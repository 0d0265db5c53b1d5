import { createInterface } from 'node:readline/promises'

/** Asks on stdout and reads a line of stdin: only `y` and `yes` are a yes, and the end of input is a no. */
export async function confirmed(question: string): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stdout, terminal: process.stdin.isTTY === true })
  const closed = new Promise<string>((resolve) => lines.once('close', () => resolve('')))
  try {
    return /^\s*y(es)?\s*$/i.test(await Promise.race([lines.question(question), closed]))
  } finally {
    lines.close()
    process.stdin.destroy()
  }
}
