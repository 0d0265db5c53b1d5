import { WasiError } from './errno.js'
import { GuestExit } from './host.js'

/** `signal` of preview1: those whose default is to be ignored, and the highest there is. */
const IGNORED_SIGNALS = new Set([0, 16, 17, 22, 27])
const LAST_SIGNAL = 30

/** `proc_exit`, `proc_raise`. */
export function procFunctions() {
  return {
    proc_exit(code: number): never {
      throw new GuestExit(code & 255)
    },
    /** Preview1 has no handlers, so a signal does what it does by default. */
    proc_raise(signal: number): void {
      if (signal < 0 || signal > LAST_SIGNAL) throw new WasiError('EINVAL')
      if (!IGNORED_SIGNALS.has(signal)) throw new GuestExit(128 + signal, signal)
    },
  }
}
