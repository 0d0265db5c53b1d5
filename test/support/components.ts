/** Components for tests: made of modules of preview1 by jco's tools and the adapter that it ships, or of text. */
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { wat } from './wat.js'

interface WasmTools {
  readonly $init: Promise<void>
  readonly tools: {
    parse(text: string): Uint8Array
    componentNew(module: Uint8Array, adapters: readonly (readonly [name: string, adapter: Uint8Array])[]): Uint8Array
  }
}

const JCO = join('node_modules', '@bytecodealliance', 'jco')

let loaded: Promise<WasmTools['tools']> | undefined

function tools(): Promise<WasmTools['tools']> {
  loaded ??= import(pathToFileURL(resolve(JCO, 'obj', 'wasm-tools.js')).href).then(async ({ $init, tools }: WasmTools) => {
    await $init
    return tools
  })
  return loaded
}

/** A WASI 0.2 command component of a program of preview1. */
export async function componentOf(module: Uint8Array): Promise<Uint8Array> {
  const adapter = readFileSync(join(JCO, 'lib', 'wasi_snapshot_preview1.command.wasm'))
  return (await tools()).componentNew(module, [['wasi_snapshot_preview1', adapter]])
}

/** The same of a module's text. */
export function componentOfWat(text: string): Promise<Uint8Array> {
  return componentOf(wat(text))
}

/** A component of its own text. */
export async function componentText(text: string): Promise<Uint8Array> {
  return (await tools()).parse(text)
}
