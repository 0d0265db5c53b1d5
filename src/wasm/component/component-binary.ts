import { EngineError } from '../../errors.js'
import { BinaryReader, malformed } from '../binary-reader.js'

/** What a component asks for and offers, before anything of it runs. */
export interface ComponentOutline {
  /** Names of what it imports, each once, in order: `wasi:cli/stdin@0.2.3`. */
  readonly imports: readonly string[]
  /** Names of what it exports. */
  readonly exports: readonly string[]
}

/** The interface that a command component exports, without its version. */
export const RUN_INTERFACE = 'wasi:cli/run'

/** Names of all interfaces that this wall provides, without versions: a component's imports are judged before there is a guest. */
export const PROVIDED_INTERFACES: ReadonlySet<string> = new Set(
  `wasi:cli/environment wasi:cli/exit wasi:cli/stdin wasi:cli/stdout wasi:cli/stderr wasi:cli/terminal-input wasi:cli/terminal-output
   wasi:cli/terminal-stdin wasi:cli/terminal-stdout wasi:cli/terminal-stderr
   wasi:clocks/monotonic-clock wasi:clocks/wall-clock wasi:filesystem/preopens wasi:filesystem/types
   wasi:io/error wasi:io/poll wasi:io/streams wasi:random/random wasi:random/insecure wasi:random/insecure-seed
   wasi:sockets/instance-network wasi:sockets/network wasi:sockets/tcp-create-socket wasi:sockets/udp-create-socket
   wasi:sockets/tcp wasi:sockets/udp wasi:sockets/ip-name-lookup`.split(/\s+/),
)

// Component model, Binary.md: the preamble, the sections that are looked into, and what an externdesc can be.
const PREAMBLE = [0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0]
const SECTION = { import: 10, export: 11 } as const
const EXTERN = { module: 0, function: 1, value: 2, type: 3, component: 4, instance: 5 } as const
const CORE_MODULE = 0x11
const CORE_SORT = 0
/** Of imports and of exports. The world of command components has fewer than fifty. */
const MAXIMUM_ENTRIES = 1000

/** Whether a binary is a component rather than a core module. */
export function isComponent(bytes: Uint8Array): boolean {
  return PREAMBLE.every((byte, place) => bytes[place] === byte)
}

/** Reads a component's own imports and exports; what it consists of is the transpiler's to judge. Throws COMMAND_NOT_EXECUTABLE. */
export function readComponent(bytes: Uint8Array): ComponentOutline {
  const imports = new Set<string>()
  const exports = new Set<string>()
  const reader = new BinaryReader(bytes, PREAMBLE.length)
  while (reader.position < bytes.length) {
    const id = reader.byte()
    const size = reader.u32()
    const end = reader.position + size
    if (end > bytes.length) throw malformed('a section is longer than the file')
    const contents = new BinaryReader(bytes.subarray(0, end), reader.position)
    if (id === SECTION.import) readImports(contents, imports)
    else if (id === SECTION.export) readExports(contents, exports)
    reader.position = end
  }
  return { imports: [...imports], exports: [...exports] }
}

function readImports(reader: BinaryReader, names: Set<string>): void {
  for (let count = readCount(reader); count > 0; count--) {
    names.add(readName(reader))
    skipDescription(reader)
  }
}

function readExports(reader: BinaryReader, names: Set<string>): void {
  for (let count = readCount(reader); count > 0; count--) {
    names.add(readName(reader))
    if (reader.byte() === CORE_SORT) reader.byte()
    reader.u32()
    if (reader.byte() === 1) skipDescription(reader)
  }
}

function readCount(reader: BinaryReader): number {
  const count = reader.u32()
  if (count > MAXIMUM_ENTRIES) throw malformed(`it has ${count} imports or exports`)
  return count
}

function readName(reader: BinaryReader): string {
  if (reader.byte() > 1) throw malformed('a name of an unknown kind')
  return reader.name()
}

function skipDescription(reader: BinaryReader): void {
  const kind = reader.byte()
  if (kind === EXTERN.module && reader.byte() !== CORE_MODULE) throw malformed('an import of an unknown kind')
  if (kind > EXTERN.instance) throw malformed('an import of an unknown kind')
  // What equals something names it; a new resource type names nothing.
  const isBound = kind === EXTERN.type || kind === EXTERN.value
  if (isBound && reader.byte() === 1 && kind === EXTERN.type) return
  reader.u32()
}

/** Throws COMMAND_NOT_EXECUTABLE for a component that is no command, or that imports what this wall does not provide, with what would. */
export function assertCommand({ imports, exports }: ComponentOutline): void {
  if (!exports.some((name) => isVersionOf(name, RUN_INTERFACE)))
    throw new EngineError('COMMAND_NOT_EXECUTABLE', `the component exports no ${RUN_INTERFACE}@0.2: it is a library, not a program`, {
      hint: 'Build it as a command (wasi:cli/command), for the target wasm32-wasip2.',
      data: { exports },
    })
  for (const name of imports) {
    const [bare = '', version] = name.split('@')
    if (PROVIDED_INTERFACES.has(bare) && isVersionOf(name, bare)) continue
    const hint = PROVIDED_INTERFACES.has(bare)
      ? `It provides ${bare}@0.2; version ${version} is another.`
      : (HINTS.find(([pattern]) => pattern.test(name))?.[1] ?? OTHERWISE)
    throw new EngineError('COMMAND_NOT_EXECUTABLE', `the component imports ${name}, which this wall does not provide`, {
      hint,
      data: { import: name },
    })
  }
}

function isVersionOf(name: string, bare: string): boolean {
  return name.startsWith(`${bare}@0.2.`) && !name.includes('-', bare.length)
}

const OTHERWISE = 'It provides wasi:cli, clocks, filesystem, io, random and sockets of WASI 0.2, and nothing else.'

const HINTS: readonly (readonly [pattern: RegExp, hint: string])[] = [
  [/^wasi:http\//, 'Nothing behind this wall reaches a network; run it behind the native wall, with a runtime that serves wasi:http.'],
  [/^wasi:[a-z-]+\/[a-z-]+@0\.3\./, 'That is WASI 0.3; build it for WASI 0.2 (the target wasm32-wasip2).'],
  [/^wasi:nn\//, 'That is machine learning on the host, which no wall gives.'],
  [/^wasi:/, OTHERWISE],
  [/^[a-z]/, 'Compose it with a component that exports this (wac plug), then run the whole.'],
]
