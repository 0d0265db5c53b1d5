import { expectSuccess } from '../expect-success.js'
import type { Mode } from '../mode.js'

const PROGRAM = `
import { readFileSync } from 'node:fs'
import { WASI } from 'node:wasi'
const wasi = new WASI({ version: 'preview1', args: ['hello'], env: {}, preopens: {}, returnOnExit: true })
const { instance } = await WebAssembly.instantiate(readFileSync(process.argv[2]), wasi.getImportObject())
process.exitCode = wasi.start(instance)
`

/** Node's own WASI in a fresh Node, which says of itself that it is no sandbox. */
export const nodeWasi: Mode = {
  name: 'node-wasi',
  summary: 'node:wasi in a fresh Node',
  async open(workbench) {
    const driver = await workbench.driver()
    const program = await workbench.file('node-wasi/main.mjs', PROGRAM)
    const words = ['--no-warnings', program, workbench.modulePath('hello')]
    return { name: this.name, sample: async () => expectSuccess(await driver.run(process.execPath, words)) }
  },
}
