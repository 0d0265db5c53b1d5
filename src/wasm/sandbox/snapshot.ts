/**
 * What an instance has become, so that another can be made to begin there: its memory, as far as that differs from a new one's, and its globals.
 * Tables must be as they were, since no host can name a function that only the guest knows.
 */
import { type StateExports, unkept } from '../instrument/reveal.js'
import type { InstanceState } from '../instrument/with-state.js'
import { WASM_PAGE_BYTES } from '../module.js'

type Exports = WebAssembly.Instance['exports']

/** It can be posted to another thread. */
export interface Snapshot extends InstanceState {
  /** Where in its memory the frames of a program lie that is to go on; absent of one that is called anew. */
  readonly frames?: number
}

/** What is compared: a page of the machine's. */
const BLOCK_BYTES = 4096
const WORD_BYTES = 8

/** A new instance, before anything of it has run. */
export class UntouchedState {
  readonly #exports: Exports
  readonly #state: StateExports
  readonly #memory: Uint8Array
  readonly #tables: readonly (readonly unknown[])[]

  constructor(exports: Exports, state: StateExports) {
    this.#exports = exports
    this.#state = state
    this.#memory = memoryOf(exports, state).slice()
    this.#tables = state.tables.map((name) => elements(exports[name]))
  }

  /** What the instance has become since. Throws NOT_BUILT where that cannot be kept. */
  snapshot(): Snapshot {
    const { globals, tables } = this.#state
    for (const [place, name] of tables.entries()) {
      const before = this.#tables[place] ?? []
      const now = elements(this.#exports[name])
      if (now.length !== before.length || now.some((element, index) => element !== before[index]))
        throw unkept('its initialisation changes a table of functions')
    }
    const memory = memoryOf(this.#exports, this.#state)
    const blocks = changedBlocks(this.#memory, memory)
    const contents = new Uint8Array(blocks.reduce((sum, { length }) => sum + length, 0))
    let filled = 0
    for (const { at, length } of blocks) {
      contents.set(memory.subarray(at, at + length), filled)
      filled += length
    }
    return {
      memoryPages: memory.length / WASM_PAGE_BYTES,
      blocks,
      contents,
      globals: globals.map((name) => (this.#exports[name] as WebAssembly.Global).value),
    }
  }
}

/** Makes a new instance of the same module what another was. */
export function restore(exports: Exports, state: StateExports, { memoryPages, blocks, contents, globals }: Snapshot): void {
  const { [state.memory ?? '']: memory } = exports
  if (memory instanceof WebAssembly.Memory) {
    const missing = memoryPages - memory.buffer.byteLength / WASM_PAGE_BYTES
    if (missing > 0) memory.grow(missing)
    const bytes = new Uint8Array(memory.buffer)
    let taken = 0
    for (const { at, length } of blocks) {
      bytes.set(contents.subarray(taken, taken + length), at)
      taken += length
    }
  }
  for (const [place, name] of state.globals.entries()) (exports[name] as WebAssembly.Global).value = globals[place] as number | bigint
}

function memoryOf(exports: Exports, { memory }: StateExports): Uint8Array {
  const { [memory ?? '']: found } = exports
  return found instanceof WebAssembly.Memory ? new Uint8Array(found.buffer) : new Uint8Array()
}

function elements(table: unknown): unknown[] {
  if (!(table instanceof WebAssembly.Table)) return []
  return Array.from({ length: table.length }, (_, index) => table.get(index))
}

/** Blocks that differ, neighbours as one. What was not there before was zero. */
function changedBlocks(before: Uint8Array, now: Uint8Array): { at: number; length: number }[] {
  const blocks: { at: number; length: number }[] = []
  const [old, fresh] = [wordsOf(before), wordsOf(now)]
  const step = BLOCK_BYTES / WORD_BYTES
  for (let word = 0; word < fresh.length; word += step) {
    let changed = false
    for (let at = word; at < word + step && !changed; at++) changed = fresh[at] !== (at < old.length ? old[at] : 0n)
    if (!changed) continue
    const last = blocks.at(-1)
    if (last !== undefined && last.at + last.length === word * WORD_BYTES) last.length += BLOCK_BYTES
    else blocks.push({ at: word * WORD_BYTES, length: BLOCK_BYTES })
  }
  return blocks
}

function wordsOf({ buffer, byteLength }: Uint8Array): BigUint64Array {
  return new BigUint64Array(buffer, 0, byteLength / WORD_BYTES)
}
