import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { text } from 'node:stream/consumers'
import { pathToFileURL } from 'node:url'
import type { WasiEngine } from '../../src/runtime/spec.js'
import type { Workbench } from '../workbench.js'
import { type Attempt, BOUNDS } from './attack.js'

/** Whoever runs a guest that attacks. */
export interface AttackedEngine {
  readonly name: string
  /** Runs a module with words; `data` is the folder of the host that it is to have as /data. */
  attempt(module: string, words: readonly string[], data: string): Promise<Attempt>
}

const WAIT_MS = 10_000
const KEPT_BYTES = 16 * 2 ** 20

/** Behind our wall, bounded. The other engine has no mounts: it gets a /data in the container's own root. */
export function walled(workbench: Workbench, wasiEngine: WasiEngine): AttackedEngine {
  const hasMounts = wasiEngine === 'wolffia'
  return {
    name: hasMounts ? 'wolffia' : '--wasi-engine wasmer',
    async attempt(module, words, data) {
      const engine = await workbench.engine()
      const image = await workbench.once(`attack ${module}`, () => engine.images.import(module))
      const container = await engine.containers.create({
        image: image.id,
        command: hasMounts ? words : [...'mkdir /data , write /data/file x ,'.split(' '), ...words],
        runtime: 'wasm',
        wasiEngine,
        limits: BOUNDS,
        autoRemove: true,
        ...(hasMounts ? { mounts: [{ type: 'bind', source: data, destination: '/data', readonly: false }] } : {}),
      })
      const output = container.stdout === null ? '' : text(container.stdout)
      container.stderr?.resume()
      await container.start()
      const { reason } = await container.wait()
      return { output: await output, signal: null, endless: false, limited: reason !== 'exited' && reason !== 'signaled' }
    },
  }
}

/** What its makers' documents say to do, in a Node of its own: /data is preopened, and nothing else is given. */
export function inNode(name: string, program: string): AttackedEngine {
  return {
    name,
    attempt: (module, words, data) =>
      new Promise((resolve) => {
        const child = spawn(process.execPath, ['--no-warnings', '--input-type=module', '-e', program, module, data, ...words], {
          env: { HOST_SECRET: 'the secret of the host' },
          stdio: ['ignore', 'pipe', 'ignore'],
        })
        const kept: Buffer[] = []
        let bytes = 0
        let endless = false
        child.stdout.on('data', (chunk: Buffer) => {
          if (bytes < KEPT_BYTES) kept.push(chunk)
          bytes += chunk.length
        })
        const timer = setTimeout(() => {
          endless = true
          child.kill('SIGKILL')
        }, WAIT_MS)
        child.on('close', (_code, signal) => {
          clearTimeout(timer)
          resolve({ output: Buffer.concat(kept).toString('latin1'), signal, endless, limited: false })
        })
      }),
  }
}

export const NODE_WASI = `
import { readFileSync } from 'node:fs'
import { WASI } from 'node:wasi'
const [module, data, ...words] = process.argv.slice(1)
const wasi = new WASI({ version: 'preview1', args: ['guest', ...words], env: {}, preopens: { '/data': data }, returnOnExit: true })
const { instance } = await WebAssembly.instantiate(readFileSync(module), wasi.getImportObject())
process.exitCode = wasi.start(instance)
`

/** The package's own program, over the host's files as its README has it. */
export function wasmerProgram(): string {
  const entry = pathToFileURL(createRequire(import.meta.url).resolve('@wasmer/wasi')).href
  return `
import { readFileSync } from 'node:fs'
import fs from 'node:fs'
import path from 'node:path'
import crypto from 'node:crypto'
import wasmer from ${JSON.stringify(entry)}
const [file, data, ...words] = process.argv.slice(1)
const exit = (code) => process.exit(code)
const bindings = { hrtime: process.hrtime.bigint, exit, kill: exit, randomFillSync: crypto.randomFillSync, isTTY: () => false, fs, path }
const wasi = new wasmer.WASI({ args: ['guest', ...words], env: {}, preopens: { '/data': data }, bindings })
const module = new WebAssembly.Module(readFileSync(file))
wasi.start(new WebAssembly.Instance(module, WebAssembly.Module.imports(module).length > 0 ? wasi.getImports(module) : {}))
`
}
