import type { Context } from './context.js'

/** `random_get`. */
export function randomFunctions({ memory, host }: Context) {
  return {
    random_get(pointer: number, length: number): void {
      host.random(memory().bytes(pointer, length))
    },
  }
}
