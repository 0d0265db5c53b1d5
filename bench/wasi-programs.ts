/** Engines of others as programs: a Node that runs a module with words, a folder of the host as its /data and nothing else. */
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { nodeWords } from './node-words.js'
import { type PlacedMode, placed } from './place.js'
import { inNodeOf } from './wasm-attacks/engines.js'

/** A mode from a program of Node's. */
export function nodeMode(name: string, summary: string, program: () => string): PlacedMode {
  return moduleMode(name, summary, () => nodeWords(program()))
}

/** A mode from the words of a Node that runs a module when its path, a folder and the guest's words stand behind them. */
export function moduleMode(name: string, summary: string, program: () => readonly string[]): PlacedMode {
  return placed({
    name,
    summary,
    async place(workbench) {
      const folder = await workbench.directoryOf(`${name}-data`)
      const command = (module: string, data: string, words: readonly string[]) =>
        [process.execPath, ...program(), module, data, ...words] as const
      return {
        driver: await workbench.driver(),
        command: async ([guest = '', ...words]) => command(await workbench.moduleOf(guest), folder, words),
        attempt: inNodeOf(program()),
        writable: '/data',
        containers: 'a module runs one program',
      }
    },
  })
}

/** node:wasi. */
export const NODE_WASI = `
import { readFileSync } from 'node:fs'
import { WASI } from 'node:wasi'
const [module, data, ...words] = process.argv.slice(1)
const wasi = new WASI({ version: 'preview1', args: ['guest', ...words], env: {}, preopens: { '/data': data }, returnOnExit: true })
const { instance } = await WebAssembly.instantiate(readFileSync(module), wasi.getImportObject())
process.exitCode = wasi.start(instance)
`

/** node:wasi in a thread. A program of a data: address has none among its words. */
export const WORKER_WASI = `
import { Worker } from 'node:worker_threads'
const program = ${JSON.stringify(NODE_WASI)}
const worker = new Worker(new URL('data:text/javascript,' + encodeURIComponent(program)), { argv: process.argv.slice(1) })
worker.on('exit', (code) => (process.exitCode = code))
`

const FOLDER_BINDINGS = 'const files = fs, preopens = { "/data": data }'

/** The package's own program, over the host's files as its README has it. */
export function wasmerProgram(files = FOLDER_BINDINGS): string {
  return `
import fs, { readFileSync } from 'node:fs'
import path from 'node:path'
import crypto from 'node:crypto'
import wasmer from ${JSON.stringify(addressOf('@wasmer/wasi'))}
const [file, data, ...words] = process.argv.slice(1)
const exit = (code) => process.exit(code)
${files}
const bindings = { hrtime: process.hrtime.bigint, exit, kill: exit, randomFillSync: crypto.randomFillSync, isTTY: () => false, fs: files, path }
const wasi = new wasmer.WASI({ args: ['guest', ...words], env: {}, preopens, bindings })
const module = new WebAssembly.Module(readFileSync(file))
wasi.start(new WebAssembly.Instance(module, WebAssembly.Module.imports(module).length > 0 ? wasi.getImports(module) : {}))
`
}

/** The same over a memfs Volume; the first three descriptors stay the host's. */
export function wasmerMemoryProgram(): string {
  return wasmerProgram(`
const { default: memfs } = await import(${JSON.stringify(addressOf('memfs'))})
const volume = memfs.createFsFromVolume(memfs.Volume.fromJSON({ '/data/.keep': '' }))
const files = new Proxy(volume, {
  get: (target, name) =>
    typeof target[name] !== 'function'
      ? target[name]
      : (first, ...more) => (typeof first === 'number' && first < 3 ? fs : target)[name](first, ...more),
})
const preopens = { '/data': '/data' }
`)
}

function addressOf(name: string): string {
  return pathToFileURL(createRequire(import.meta.url).resolve(name)).href
}
