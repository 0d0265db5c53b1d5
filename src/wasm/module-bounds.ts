import { EngineError } from '../errors.js'
import { type BinaryReader, HAS_MAXIMUM, IS_64_BIT, type Limits, malformed, SHARED } from './binary-reader.js'

// The JavaScript API's own limit (Wasm JS API, "Implementation-defined Limits").
const MAXIMUM_ENTRIES = 100_000

/** How far a module may grow. */
export interface ModuleLimits {
  readonly memoryPages: number
  readonly tableElements: number
}

/** Pages of a memory that is made for a module. */
export interface SharedMemoryLimits {
  readonly initial: number
  readonly maximum: number
}

/** Rewrites table and memory sections within what is left of the limits, which hold for all of a kind together. */
export class ModuleBounds {
  memoryPages = 0
  tableElements = 0
  minimumPages = 0
  minimumElements = 0
  changed = false
  readonly #limits: ModuleLimits
  /** Pages of the memory that is made for it. */
  #imported = 0

  constructor(limits: ModuleLimits) {
    this.#limits = limits
  }

  /** The memory to make for a module that imports one. */
  sharedMemory({ flags, minimum, maximum }: Limits): SharedMemoryLimits {
    const limit = this.#limits.memoryPages
    if ((flags & IS_64_BIT) !== 0 || maximum === undefined || maximum < minimum)
      throw new EngineError(
        'COMMAND_NOT_EXECUTABLE',
        'the module imports a memory that nobody can make for it: of 64 bits, or without a maximum',
      )
    if (minimum > limit)
      throw new EngineError('LIMIT_EXCEEDED', `the module starts with ${minimum} pages of memory, more than its limit of ${limit}`, {
        hint: 'Raise --memory.',
      })
    this.#imported = Math.min(maximum, limit)
    this.memoryPages = this.#imported
    return { initial: minimum, maximum: this.#imported }
  }

  memories(reader: BinaryReader): number[] {
    const memories = readList(reader, () => ({ type: [] as number[], limits: reader.limits() }))
    const { encoded, total, minimum } = this.#bound(memories, this.#limits.memoryPages - this.#imported, 'pages of memory')
    this.memoryPages = this.#imported + total
    this.minimumPages = minimum
    return encoded
  }

  tables(reader: BinaryReader): number[] {
    const tables = readList(reader, () => ({ type: reader.referenceType(), limits: reader.limits() }))
    const { encoded, total, minimum } = this.#bound(tables, this.#limits.tableElements, 'table elements')
    this.tableElements = total
    this.minimumElements = minimum
    return encoded
  }

  /** Every one keeps its minimum; what is left above them goes to the first that may grow. */
  #bound(entries: readonly { readonly type: readonly number[]; readonly limits: Limits }[], limit: number, unit: string) {
    const minimum = entries.reduce((sum, { limits }) => sum + limits.minimum, 0)
    if (entries.some(({ limits }) => (limits.flags & (SHARED | IS_64_BIT)) !== 0))
      throw new EngineError(
        'COMMAND_NOT_EXECUTABLE',
        'the module has a shared or 64-bit memory of its own, which preview1 has no place for',
        {
          hint: 'A memory that threads share is imported (--import-memory); or build it for the target wasm32-wasip1 without threads.',
        },
      )
    if (minimum > limit)
      throw new EngineError('LIMIT_EXCEEDED', `the module starts with ${minimum} ${unit}, more than its limit of ${limit}`, {
        hint: unit === 'table elements' ? 'Raise the limit tableElements.' : 'Raise --memory.',
      })
    const encoded = encodeU32(entries.length)
    let left = limit - minimum
    let total = 0
    for (const { type, limits } of entries) {
      const growth = Math.min(left, Math.max(0, (limits.maximum ?? Number.POSITIVE_INFINITY) - limits.minimum))
      const maximum = limits.minimum + growth
      left -= growth
      total += maximum
      this.changed ||= maximum !== limits.maximum
      encoded.push(...type, limits.flags | HAS_MAXIMUM, ...encodeU32(limits.minimum), ...encodeU32(maximum))
    }
    return { encoded, total, minimum }
  }
}

function readList<Entry>(reader: BinaryReader, read: () => Entry): Entry[] {
  const entries: Entry[] = []
  const total = reader.u32()
  if (total > MAXIMUM_ENTRIES) throw malformed(`it has ${total} tables or memories`)
  while (entries.length < total) entries.push(read())
  return entries
}

/** LEB128. */
export function encodeU32(value: number): number[] {
  const bytes: number[] = []
  do {
    bytes.push((value & 127) | (value > 127 ? 128 : 0))
    value = Math.floor(value / 128)
  } while (value > 0)
  return bytes
}
