import { print } from '../../../wasm/wasi/console'

export const GOT: string = 'got'
export const STOPPED: string = 'stopped'
export const REFUSED: string = 'refused'
export const SKIPPED: string = 'skipped'

/** What an attempt came to: how much it got of how much it wanted, and by which way or with which error. Never what was read. */
export class Result {
  constructor(
    readonly outcome: string,
    readonly got: i32,
    readonly wanted: i32,
    readonly note: string,
  ) {}
}

/** Prints one line, parted by tabs, the same on every platform. */
export function reportLine(attempt: string, durationUs: u64, result: Result): void {
  const amount = result.got.toString() + '/' + result.wanted.toString()
  print([attempt, result.outcome, durationUs.toString(), amount, result.note].join('\t'))
}
