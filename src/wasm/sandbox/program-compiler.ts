import { createHash } from 'node:crypto'
import { EngineError } from '../../errors.js'
import type { WasmEvidence } from '../../runtime/receipt.js'
import { assertCommand, isComponent, readComponent } from '../component/component-binary.js'
import type { ComponentParts } from '../component/run-component.js'
import type { Transpiled } from '../component/transpile.js'
import { type CompiledModule, KEPT_COMPILED, type LinkedModule, type ModuleCompiler } from './module-compiler.js'
import type { StartMessage } from './protocol.js'

/** A component that is ready to be run, and what the receipt says of it. */
export interface CompiledComponent {
  readonly component: ComponentParts
  readonly evidence: Omit<WasmEvidence, 'preopens' | 'environment'>
  /** Keeps the engine from compiling them anew where they are instantiated. */
  readonly modules: readonly WebAssembly.Module[]
}

/** A module or a component. */
export type CompiledProgram = CompiledModule | CompiledComponent

/** What of a start message decides whether a component can run. */
export type ComponentSetting = Pick<StartMessage, 'engine' | 'limits'>

/** Compiles programs of both kinds: core modules of preview1, and command components of WASI 0.2. */
export class ProgramCompiler {
  readonly #compiler: ModuleCompiler
  readonly #setting: ComponentSetting
  readonly #transpile: (bytes: Uint8Array) => Promise<Transpiled>
  readonly #components = new Map<string, Promise<CompiledComponent>>()

  constructor(compiler: ModuleCompiler, setting: ComponentSetting, transpile: (bytes: Uint8Array) => Promise<Transpiled>) {
    this.#compiler = compiler
    this.#setting = setting
    this.#transpile = transpile
  }

  /** As {@link ModuleCompiler.compile}. `before` gives what a component of this digest was transpiled to, where that is known. Rejects with NOT_BUILT for a component where it is asked for what only modules have. */
  compile(
    bytes: Uint8Array,
    beforeFlags: Promise<unknown> = Promise.resolve(),
    before: (component: string) => Transpiled | null = () => null,
  ): Promise<CompiledProgram> {
    if (!isComponent(bytes)) return this.#compiler.compile(bytes, beforeFlags)
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}` as const
    const known = this.#components.get(digest)
    if (known !== undefined) return known
    const compiled = this.#compileComponent(bytes, digest, beforeFlags, before(digest))
    this.#components.set(digest, compiled)
    compiled.catch(() => this.#components.delete(digest))
    for (const oldest of this.#components.keys()) if (this.#components.size > KEPT_COMPILED) this.#components.delete(oldest)
    return compiled
  }

  async #compileComponent(
    bytes: Uint8Array,
    moduleDigest: string,
    beforeFlags: Promise<unknown>,
    before: Transpiled | null,
  ): Promise<CompiledComponent> {
    assertSetting(this.#setting)
    const outline = readComponent(bytes)
    assertCommand(outline)
    const { glue, modules } = before ?? (await this.#transpile(bytes))
    const linked = await this.#compiler.compileLinked(
      modules.map(({ name, bytes }) => ({ name, bytes, instances: instancesOf(glue, modules, name) })),
      beforeFlags,
    )
    for (const { module } of linked) assertNames(module)
    const { memoryPages, tableElements, fuel } = this.#setting.limits
    const total = (count: (module: LinkedModule) => number) => linked.reduce((sum, each) => sum + count(each) * each.instances, 0)
    const instrumented = linked[0]?.instrumented ?? []
    return {
      component: {
        glue,
        modules: linked.map(({ name, prepared, fuelImport }) => ({
          name,
          bytes: prepared.bytes,
          memoryPages: prepared.memoryPagesMaximum,
          tableElements: prepared.tableElementsMaximum,
          fuelImport,
        })),
        limits: { memoryPages, tableElements },
        fuel,
      },
      modules: linked.map(({ module }) => module),
      evidence: {
        engine: `v8, wolffia WASI 0.2 (component of ${linked.length} core modules, transpiled by jco${before === null ? '' : ' before'})`,
        v8: process.versions.v8,
        moduleDigest,
        imports: outline.imports,
        memoryPagesMaximum: total(({ prepared }) => prepared.memoryPagesMaximum),
        tableElementsMaximum: total(({ prepared }) => prepared.tableElementsMaximum),
        threadsMaximum: 1,
        ...(instrumented.length === 0 ? {} : { instrumented }),
      },
    }
  }
}

/** How often the glue instantiates a module, by the name that it has for it. */
function instancesOf(glue: string, modules: Transpiled['modules'], name: string): number {
  const declared = new RegExp(`const (module\\d+) = getCoreModule\\('${name.replaceAll('.', '\\.')}'\\)`).exec(glue)?.[1]
  if (declared === undefined)
    throw new EngineError('INTERNAL', `the JavaScript of a component does not load ${name}, one of ${modules.length}`)
  return Math.max(1, glue.split(`instantiateCore(${declared}`).filter((rest) => /^[,)]/.test(rest)).length)
}

/**
 * jco writes names of core modules into JavaScript between quotes and escapes nothing. The realm in which that is evaluated has nothing to reach,
 * and so no name needs to be more than a name. Throws COMMAND_NOT_EXECUTABLE.
 */
function assertNames(module: WebAssembly.Module): void {
  const imported = WebAssembly.Module.imports(module).flatMap((each) => [each.module, each.name])
  const exported = WebAssembly.Module.exports(module).map(({ name }) => name)
  const name = [...imported, ...exported].find((each) => /['\\`\p{Cc}\u2028\u2029]/u.test(each))
  if (name === undefined) return
  throw new EngineError(
    'COMMAND_NOT_EXECUTABLE',
    `a core module of the component has a name that cannot be linked: ${JSON.stringify(name)}`,
    {
      hint: 'Names may have no quotes, backslashes or control characters.',
      data: { name },
    },
  )
}

function assertSetting({ engine }: ComponentSetting): void {
  if (engine === 'wolffia') return
  throw new EngineError('NOT_BUILT', `--wasi-engine ${engine}: the program is a component, and only core modules have that`, {
    hint: `Leave it out, or build the program for the target wasm32-wasip1.`,
  })
}
