import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { require } from '../unavailable.js'
import { packageRoot } from '../workbench.js'
import { orMissing, type Workload } from '../workload.js'

const RUNNER = 'build/test/wasm/wasi-testsuite.test.js'

/** The official preview1 suite behind the Wasm wall, by the runner of the tests: how many of its programs do not pass. */
export const conformance: Workload = {
  name: 'conformance',
  summary: 'programs of the official preview1 suite that do not pass behind the Wasm wall',
  unit: 'programs',
  rounds: 1,
  quickRounds: 1,
  open: async () => [
    await orMissing('wolffia', async () => {
      require(process.env.WASI_TESTSUITE, 'WASI_TESTSUITE names no checkout of WebAssembly/wasi-testsuite (branch prod/testsuite-base)')
      return { name: 'wolffia', sample: countFailures }
    }),
  ],
}

function countFailures(): Promise<number> {
  return new Promise((resolve, reject) => {
    // The runner ends with 1 when a program fails; what it counted stands in its output.
    execFile(process.execPath, [join(packageRoot, RUNNER)], { cwd: packageRoot }, (_error, stdout) => {
      const [, passed, total] = /^wasi-testsuite: (\d+) of (\d+)$/m.exec(stdout) ?? []
      if (total === undefined) reject(new Error('the runner of the suite said nothing'))
      else resolve(Number(total) - Number(passed))
    })
  })
}
