import { EngineError } from '../errors.js'
import { type BinaryReader, type Limits, malformed, SHARED } from './binary-reader.js'
import { PREVIEW1, PREVIEW1_NAMES } from './preview1/names.js'
import { SPAWN_FIELD, SPAWN_MODULE } from './thread-names.js'

/** The JavaScript API's own limit of functions (Wasm JS API, "Implementation-defined Limits"). */
export const MAXIMUM_FUNCTIONS = 1_000_000
const EXTERNAL = { function: 0, table: 1, memory: 2, global: 3, tag: 4 } as const

/** What a module is to be. */
export interface ModulePurpose {
  /** It may have threads. */
  readonly isProgram: boolean
  /** What it may import besides preview1, as `module.name`. */
  readonly provided: ReadonlySet<string>
  /** It is one of a component's, which gives it what it imports, whatever that is. */
  readonly isLinked?: boolean
}

/** Throws COMMAND_NOT_EXECUTABLE for an import that nothing here provides, with what would. */
function checkImport(module: string, field: string, provided: ReadonlySet<string>): void {
  const name = `${module}.${field}`
  if ((module === PREVIEW1 && PREVIEW1_NAMES.has(field)) || provided.has(name)) return
  const hint = HINTS.find(([pattern]) => pattern.test(name))?.[1]
  throw new EngineError('COMMAND_NOT_EXECUTABLE', `the module imports ${name}, which this wall does not provide`, {
    hint: hint ?? `It provides ${[PREVIEW1, ...provided].join(', ')} and nothing else.`,
    data: { import: name },
  })
}

/** Nobody makes a memory for a module but one for its threads, whatever name it is imported by. */
function unprovidedMemory(module: string, field: string): EngineError {
  const name = `${module}.${field}`
  return new EngineError('COMMAND_NOT_EXECUTABLE', `the module imports ${name} as a memory, which this wall does not provide`, {
    hint: 'A memory is only imported to be shared by threads (wasi-threads); let the module have one of its own.',
    data: { import: name },
  })
}

const HINTS: readonly (readonly [pattern: RegExp, hint: string])[] = [
  [/^wasi_unstable\./, 'That is preview 0 of WASI; build it with a toolchain of 2020 or later.'],
  [/^wasi\.thread-spawn$/, 'That is wasi-threads, which only a program has; build it for the target wasm32-wasip1 without threads.'],
  [/^wasi:/, 'That is preview 2 of WASI; build it for the target wasm32-wasip1.'],
  [/^(go|gojs)\./, "That is Go's target for browsers; build it with GOOS=wasip1 GOARCH=wasm."],
  [/^env\.(emscripten|_?invoke|__syscall)/, 'That is Emscripten for browsers; build it with -sSTANDALONE_WASM or with wasi-sdk.'],
  [/^wbg\.|^__wbindgen/, 'That is wasm-bindgen for browsers; build it for the target wasm32-wasip1.'],
]

/** Names of all imports, each once, and types of the functions among them. Throws at the first name that nothing here provides. */
export function readImports(
  reader: BinaryReader,
  purpose: ModulePurpose,
): { readonly names: readonly string[]; readonly functions: number[]; readonly sharedMemory: Limits | null } {
  const names = new Set<string>()
  const functions: number[] = []
  const provided = purpose.isProgram ? new Set([...purpose.provided, `${SPAWN_MODULE}.${SPAWN_FIELD}`]) : purpose.provided
  let sharedMemory: Limits | null = null
  for (let count = reader.u32(); count > 0; count--) {
    const [module, field] = [reader.name(), reader.name()]
    names.add(`${module}.${field}`)
    const kind = reader.byte()
    if (kind === EXTERNAL.memory) {
      const limits = reader.limits()
      // Whatever it is called: it is made for the module.
      if (purpose.isLinked === true) continue
      if (!purpose.isProgram || (limits.flags & SHARED) === 0) throw unprovidedMemory(module, field)
      if (sharedMemory !== null) throw malformed('it imports more than one memory')
      sharedMemory = limits
      continue
    }
    if (purpose.isLinked !== true) checkImport(module, field, provided)
    if (functions.length > MAXIMUM_FUNCTIONS) throw malformed(`it imports more than ${MAXIMUM_FUNCTIONS} functions`)
    if (kind === EXTERNAL.function) functions.push(reader.u32())
    else if (kind === EXTERNAL.table) {
      reader.referenceType()
      reader.limits()
    } else if (kind === EXTERNAL.global) {
      reader.valueType()
      reader.byte()
    } else if (kind === EXTERNAL.tag) {
      reader.byte()
      reader.u32()
    } else throw malformed('an import of an unknown kind')
  }
  if (purpose.isLinked !== true && sharedMemory === null && names.has(`${SPAWN_MODULE}.${SPAWN_FIELD}`))
    throw new EngineError('COMMAND_NOT_EXECUTABLE', 'the module asks for threads and imports no memory that they could share', {
      hint: 'Link it with --import-memory --shared-memory --max-memory=….',
    })
  return { names: [...names], functions, sharedMemory }
}
