import type { Signature, ValueType } from './types.js'

/** The type of a block that takes and gives nothing. */
export const EMPTY_BLOCK = 0x40

/** What code of a module may name. */
export interface Names {
  readonly types: readonly Signature[]
  /** Types of all functions, imported ones first. */
  readonly functions: readonly number[]
  readonly globals: readonly { readonly type: ValueType; readonly isMutable: boolean }[]
  readonly tables: readonly ValueType[]
  readonly hasMemory: boolean
  readonly dataSegments: number
  readonly elementSegments: readonly ValueType[]
  /** Types of its tags; with any, it throws and catches. */
  readonly tags: readonly number[]
  /** i32: what stops it, at zero. */
  readonly guard: number
  /** i64: what it counts by itself. */
  readonly counter: number
  /** Whether it counts. */
  readonly counts: boolean
}
