/** Types of WebAssembly, and the plain instructions from one to another, for random modules. */

export const I32 = 0x7f
export const I64 = 0x7e
export const F32 = 0x7d
export const F64 = 0x7c
export const V128 = 0x7b
export const FUNCREF = 0x70
export const EXTERNREF = 0x6f

export type ValueType = typeof I32 | typeof I64 | typeof F32 | typeof F64 | typeof V128 | typeof FUNCREF | typeof EXTERNREF

/** What JavaScript may pass and be given. */
export const SCALARS: readonly ValueType[] = [I32, I64, F32, F64]
export const VALUES: readonly ValueType[] = [...SCALARS, V128, FUNCREF, EXTERNREF]

/** What a function, a block or a tag takes and gives. */
export interface Signature {
  readonly parameters: readonly ValueType[]
  readonly results: readonly ValueType[]
}

/** An instruction that only computes. */
export interface Plain {
  readonly code: readonly number[]
  readonly takes: readonly ValueType[]
}

const range = (first: number, last: number): number[] => Array.from({ length: last - first + 1 }, (_, place) => first + place)
const plain = (opcodes: readonly number[], ...takes: ValueType[]): Plain[] => opcodes.map((opcode) => ({ code: [opcode], takes }))
const saturating = (opcodes: readonly number[], take: ValueType): Plain[] =>
  opcodes.map((opcode) => ({ code: [0xfc, opcode], takes: [take] }))
const vector = (opcode: number, takes: readonly ValueType[], ...immediate: number[]): Plain => ({
  code: [0xfd, ...(opcode < 128 ? [opcode] : [(opcode & 127) | 128, opcode >> 7]), ...immediate],
  takes,
})

/**
 * By what they give. Left out is what lets a guest see the sign or the payload of a NaN that arithmetic has made (`copysign`, floats as
 * integers, lanes of floats): V8 may give either.
 */
export const PLAIN: ReadonlyMap<ValueType, readonly Plain[]> = new Map([
  [
    I32,
    [
      ...plain([0x45, 0x67, 0x68, 0x69, 0xc0, 0xc1], I32),
      ...plain([...range(0x46, 0x4f), ...range(0x6a, 0x78)], I32, I32),
      ...plain([0x50, 0xa7], I64),
      ...plain(range(0x51, 0x5a), I64, I64),
      ...plain(range(0x5b, 0x60), F32, F32),
      ...plain(range(0x61, 0x66), F64, F64),
      ...plain([0xa8, 0xa9], F32),
      ...plain([0xaa, 0xab], F64),
      ...saturating([0, 1], F32),
      ...saturating([2, 3], F64),
      ...[0x53, 0x63, 0x64, 0x83, 0xa3, 0xc4].map((opcode) => vector(opcode, [V128])),
      vector(0x15, [V128], 3),
      vector(0x18, [V128], 7),
      vector(0x1b, [V128], 1),
      ...plain([0xd1], FUNCREF),
      ...plain([0xd1], EXTERNREF),
    ],
  ],
  [
    I64,
    [
      ...plain([0x79, 0x7a, 0x7b, 0xc2, 0xc3, 0xc4], I64),
      ...plain(range(0x7c, 0x8a), I64, I64),
      ...plain([0xac, 0xad], I32),
      ...plain([0xae, 0xaf], F32),
      ...plain([0xb0, 0xb1], F64),
      ...saturating([4, 5], F32),
      ...saturating([6, 7], F64),
      vector(0x1d, [V128], 1),
    ],
  ],
  [
    F32,
    [...plain(range(0x8b, 0x91), F32), ...plain(range(0x92, 0x97), F32, F32), ...plain([0xb2, 0xb3, 0xbe], I32), ...plain([0xb6], F64)],
  ],
  [
    F64,
    [...plain(range(0x99, 0x9f), F64), ...plain(range(0xa0, 0xa5), F64, F64), ...plain([0xb9, 0xba, 0xbf], I64), ...plain([0xbb], F32)],
  ],
  [
    V128,
    [
      ...[0x0f, 0x10, 0x11].map((opcode) => vector(opcode, [I32])),
      vector(0x12, [I64]),
      ...[0x0e, 0x23, 0x2d, 0x37, 0x41, 0x47, 0x4e, 0x4f, 0x50, 0x51, 0x6e, 0x71, 0x8e, 0xae, 0xb5, 0xba, 0xce, 0xd5].map((opcode) =>
        vector(opcode, [V128, V128]),
      ),
      ...[0x4d, 0x60, 0x62, 0x80, 0xa0, 0xc0].map((opcode) => vector(opcode, [V128])),
      ...[0x6b, 0x8c, 0xad, 0xcb].map((opcode) => vector(opcode, [V128, I32])),
      vector(0x0d, [V128, V128], ...range(8, 23)),
      vector(0x52, [V128, V128, V128]),
      vector(0x1c, [V128, I32], 2),
      vector(0x1e, [V128, I64], 1),
    ],
  ],
])
