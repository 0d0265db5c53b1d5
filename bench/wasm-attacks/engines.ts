import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import type { WasiEngine } from '../../src/runtime/spec.js'
import { nodeWords } from '../node-words.js'
import type { Workbench } from '../workbench.js'
import { type Attempt, BOUNDS } from './attack.js'

/** Runs a module with words; `data` is the folder of the host that it is to have as /data. One that does not end is not waited for any longer. */
export type RunAttack = (module: string, words: readonly string[], data: string, patienceMs?: number) => Promise<Attempt>

/** Whoever runs a guest that attacks. */
export interface AttackedEngine {
  readonly name: string
  readonly attempt: RunAttack
}

const PATIENCE_MS = 30_000
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
  return { name, attempt: inNodeOf(nodeWords(program)) }
}

/** The same from words of Node, behind which the module, the folder and the guest's own words stand. */
export function inNodeOf(program: readonly string[]): RunAttack {
  return (module, words, data, patienceMs = PATIENCE_MS) =>
    new Promise((resolve) => {
      const child = spawn(process.execPath, [...program, module, data, ...words], {
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
      }, patienceMs)
      child.on('close', (_code, signal) => {
        clearTimeout(timer)
        resolve({ output: Buffer.concat(kept).toString('latin1'), signal, endless, limited: false })
      })
    })
}
