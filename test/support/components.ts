/** Components for tests: made of modules of preview1 by jco's tools and the adapter that it ships, or of text. */
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { ComponentWorld } from '../../src/wasm/component/wasi.js'
import { type GuestOptions, makePreview1 } from './wasm-guest.js'
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

/** What a component in this process is given: a tree, and a stdin of `input`. */
export function componentWorld(
  options: GuestOptions & { readonly input?: string } = {},
): ComponentWorld & { readonly written: () => string } {
  const { host, tree } = makePreview1({ waits: false, ...options })
  let rest = Buffer.from(options.input ?? '')
  const written: Buffer[] = []
  const output = { write: (bytes: Uint8Array) => void written.push(Buffer.from(bytes)) }
  const input = {
    available: () => ({ bytes: rest.length, ended: rest.length === 0 }),
    read(buffer: Uint8Array) {
      const count = rest.copy(buffer)
      rest = rest.subarray(count)
      return count
    },
  }
  return {
    host,
    tree,
    streams: [input, output, output],
    terminal: false,
    cwd: '/',
    preopens: [{ name: '/', handle: tree.root }],
    openFiles: options.openFiles ?? 100,
    written: () => Buffer.concat(written).toString(),
  }
}

/** The text of a component whose `run` is a core function of type `(result i32)`, 0 for success, that `core` exports as "run" from `$main`. */
export function commandText(core: string, before = ''): string {
  return `(component ${before} ${core}
    (func $run (result (result)) (canon lift (core func $main "run")))
    (instance $command (export "run" (func $run)))
    (export "wasi:cli/run@0.2.0" (instance $command)))`
}
