import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import type { WasiEngine } from '../../src/runtime/spec.js'
import { nodeWords } from '../wasi-programs.js'
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
        const child = spawn(process.execPath, [...nodeWords(program), module, data, ...words], {
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
