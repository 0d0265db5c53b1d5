import { spawn } from 'node:child_process'
import { join } from 'node:path'
import type { Mode } from '../mode.js'

/** Nothing, from a running Node: what a TypeScript program pays for a child process anyway. */
export const bareNode: Mode = {
  name: 'bare-node',
  summary: 'no wall: child_process.spawn in Node',
  async open(workbench, [program = '', ...args]) {
    const path = join(await workbench.rootDirectory(), program)
    const sample = () =>
      new Promise<number>((resolve, reject) => {
        const start = performance.now()
        const child = spawn(path, args, { stdio: ['ignore', 'pipe', 'pipe'], env: {} })
        child.on('error', reject)
        child.on('close', (code) => (code === 0 ? resolve(performance.now() - start) : reject(new Error(`ended with ${code}`))))
        child.stdout.resume()
        child.stderr.resume()
      })
    return { name: this.name, sample }
  },
}
