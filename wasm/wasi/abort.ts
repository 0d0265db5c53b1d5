import { printError } from './console'

/** What the compiler calls for a failed assertion or an index out of range: says where, then traps. */
export function abort(message: string | null, file: string | null, line: u32, column: u32): void {
  printError('abort: ' + (message === null ? '' : message) + ' at ' + (file === null ? '?' : file) + ':' + line.toString())
  unreachable()
}
