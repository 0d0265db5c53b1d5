import createPlugin from '@extism/extism'
import type { Subject } from './measure.js'
import type { Workbench } from './workbench.js'

/** A module by hand, for Extism's own interface: `echo` says that its output is where its input is. */
const ECHO_MODULE = Buffer.from(
  '0061736d0100000001130460' +
    '00017e60017e017e60027e7e006000017f' +
    '0256030f65787469736d3a686f73742f656e760c696e7075745f6f66667365740000' +
    '0f65787469736d3a686f73742f656e76066c656e6774680001' +
    '0f65787469736d3a686f73742f656e760a6f75747075745f7365740002' +
    '03020103070801046563686f0003' +
    '0a0e010c00100010001001100241000b',
  'hex',
)

/** One call of a plugin of Extism's js-sdk, in one kept instance: in this process, without any wall, or in a worker of it. */
export async function extismCall(workbench: Workbench, name: string, bytes: number, runInWorker: boolean): Promise<Subject> {
  const plugin = await createPlugin({ wasm: [{ data: ECHO_MODULE }] }, { useWasi: false, runInWorker })
  workbench.atEnd(() => plugin.close())
  const input = Buffer.alloc(bytes, 7)
  const sample = async () => {
    const start = performance.now()
    const output = await plugin.call('echo', input)
    const took = performance.now() - start
    if (output?.bytes().length !== bytes) throw new Error('Extism gives back something else')
    return took
  }
  return { name, sample }
}
