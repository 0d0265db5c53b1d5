import { randomFillSync } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { WASI, WASIExitError } from '@wasmer/wasi'
import { createFsFromVolume, Volume } from 'memfs'
import type { Mode } from '../mode.js'

const DEVICES = ['stdin', 'stdout', 'stderr']

/** @wasmer/wasi over a memfs Volume, in this very process: no wall but V8's, and the module compiled once. */
export const wasmerMemfs: Mode = {
  name: 'wasmer-memfs',
  summary: '@wasmer/wasi with memfs, in process',
  async open(workbench) {
    const module = await WebAssembly.compile(await readFile(workbench.modulePath('hello')))
    const sample = async () => {
      const start = performance.now()
      const fs = createFsFromVolume(Volume.fromJSON(Object.fromEntries(DEVICES.map((name) => [`/dev/${name}`, '']))))
      // The first three descriptors of the volume are the guest's stdio.
      for (const name of DEVICES) fs.openSync(`/dev/${name}`, 'r+')
      const exit = (code: number) => {
        throw new WASIExitError(code)
      }
      const hrtime = process.hrtime.bigint
      const bindings = { hrtime, exit, kill: () => {}, randomFillSync: randomFillSync as never, isTTY: () => false, fs, path }
      const wasi = new WASI({ args: ['hello'], env: {}, preopens: {}, bindings })
      wasi.start(new WebAssembly.Instance(module, wasi.getImports(module as never)) as never)
      return performance.now() - start
    }
    return { name: this.name, sample }
  },
}
