import { spawnSync } from 'node:child_process'
import type { ReadStream } from 'node:tty'
import type { TerminalSize } from '../runtime/runtime.js'

const FALLBACK: TerminalSize = { rows: 24, columns: 80 }

/** Size of the terminal that any of our outputs is, else 80×24. */
export function terminalSize(): TerminalSize {
  for (const stream of [process.stdout, process.stderr]) {
    if (!stream.isTTY) continue
    const [columns, rows] = stream.getWindowSize()
    if (columns > 0 && rows > 0) return { rows, columns }
  }
  return FALLBACK
}

/** Calls `resized` with each new size until the returned function is called. */
export function watchTerminalSize(resized: (size: TerminalSize) => void): () => void {
  const listener = () => resized(terminalSize())
  process.on('SIGWINCH', listener)
  return () => process.off('SIGWINCH', listener)
}

/**
 * Hands every key to the guest (raw mode) until the returned function is called, which may be more than once. The terminal is also
 * restored when the process ends in any way it can notice.
 */
export function enterRawMode(stdin: ReadStream): () => void {
  stdin.setRawMode(true)
  // Node's raw mode goes on turning each newline of the output into two characters. The guest's own terminal has done that where its
  // program wants it; done twice, a full-screen program's "one line down" would jump to the left.
  spawnSync('stty', ['-opost'], { stdio: ['inherit', 'ignore', 'ignore'] })
  const restore = () => {
    process.off('exit', restore)
    if (!stdin.destroyed) stdin.setRawMode(false)
  }
  process.on('exit', restore)
  return restore
}
