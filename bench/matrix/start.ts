import { require } from '../unavailable.js'
import type { Column } from './column.js'

/** A guest that does nothing: what a start costs. */
export function start(words: readonly string[]): Column {
  return {
    name: 'start',
    summary: `${words.join(' ')}, from its start to its exit`,
    unit: 'ms',
    rounds: 20,
    quickRounds: 3,
    open:
      async ({ talk }) =>
      async () =>
        (await talk(words)).durationMs,
  }
}

/** The same until it is heard. */
export function firstByte(words: readonly string[]): Column {
  return {
    name: 'first-byte',
    summary: `${words.join(' ')}, from its start to the first byte of its output`,
    unit: 'ms',
    rounds: 20,
    quickRounds: 1,
    open:
      async ({ talk }) =>
      async () => {
        const { firstByteMs } = await talk(words)
        require(firstByteMs !== null, `${words.join(' ')} prints nothing`)
        return firstByteMs
      },
  }
}
