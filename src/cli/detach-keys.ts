import { EngineError } from '../errors.js'

/** Docker's. */
export const DEFAULT_DETACH_KEYS = 'ctrl-p,ctrl-q'

const NAMED: Readonly<Record<string, number>> = { '@': 0, '[': 27, '\\': 28, ']': 29, '^': 30, _: 31 }

/** The bytes of `ctrl-p,ctrl-q`, `ctrl-@`, `a,b`: characters, or `ctrl-` and a letter or one of `@ [ \ ] ^ _`. Throws INVALID_ARGUMENT. */
export function parseDetachKeys(text: string): readonly number[] {
  return text.split(',').map((key) => {
    const control = /^ctrl-(.)$/.exec(key)?.[1]
    const code = control === undefined ? (key.length === 1 ? key.charCodeAt(0) : undefined) : controlCode(control)
    if (code !== undefined && code < 128) return code
    throw new EngineError('INVALID_ARGUMENT', `invalid detach keys (${text}): unknown character: '${key}'`, {
      data: { keys: text },
      hint: 'Write characters, or ctrl- and a letter or one of @ [ \\ ] ^ _, with commas between them: ctrl-p,ctrl-q',
    })
  })
}

function controlCode(character: string): number | undefined {
  return /^[a-z]$/.test(character) ? character.charCodeAt(0) - 96 : NAMED[character]
}

/** Looks for the keys in what is typed. What could be their beginning is held back until the next key says whether it is. */
export class DetachKeys {
  readonly #keys: readonly number[]
  #matched = 0

  constructor(keys: readonly number[]) {
    this.#keys = keys
  }

  /** What of a chunk is the guest's, and whether the keys have been typed whole; what stands behind them is nobody's. */
  take(chunk: Uint8Array): { readonly passed: Uint8Array; readonly detached: boolean } {
    const passed: number[] = []
    for (const byte of chunk) {
      if (byte === this.#keys[this.#matched]) {
        this.#matched++
        if (this.#matched === this.#keys.length) return { passed: Uint8Array.from(passed), detached: true }
        continue
      }
      // As docker: what was held back goes out, and the key that did not fit may be a beginning itself.
      passed.push(...this.#keys.slice(0, this.#matched))
      this.#matched = byte === this.#keys[0] ? 1 : 0
      if (this.#matched === 0) passed.push(byte)
      else if (this.#keys.length === 1) return { passed: Uint8Array.from(passed), detached: true }
    }
    return { passed: Uint8Array.from(passed), detached: false }
  }
}
