import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { require } from '../unavailable.js'
import { packageRoot } from '../workbench.js'
import { orMissing, type Workload } from '../workload.js'

const RUNNER = 'build/test/wasm/wasi-testsuite.test.js'

/** How the runner's output names what it counted, by subject. */
const COUNTED = {
  wolffia: /^wasi-testsuite: (\d+) of (\d+)$/m,
  wasmer: /^wasi-testsuite, @wasmer\/wasi: (\d+) of (\d+)$/m,
  'wolffia-threads': /^wasi-threads: (\d+) of (\d+)$/m,
} as const

/** The official suites behind the Wasm wall, by the runner of the tests: how many of their programs do not pass, by engine. */
export const conformance: Workload = {
  name: 'conformance',
  summary: 'programs of the official preview1 suite that do not pass behind the Wasm wall',
  unit: 'programs',
  rounds: 1,
  quickRounds: 1,
  open: async () => {
    let said: Promise<string> | undefined
    return Promise.all(
      Object.entries(COUNTED).map(([name, counted]) =>
        orMissing(name, async () => {
          require(process.env.WASI_TESTSUITE, 'WASI_TESTSUITE names no checkout of WebAssembly/wasi-testsuite (branch prod/testsuite-base)')
          const sample = async () => {
            said ??= runSuites()
            const [, passed, total] = counted.exec(await said) ?? []
            if (total === undefined) throw new Error('the runner of the suite said nothing')
            return Number(total) - Number(passed)
          }
          return { name, sample }
        }),
      ),
    )
  },
}

/** What the runner prints. It ends with 1 when a program fails. */
function runSuites(): Promise<string> {
  return new Promise((resolve) => {
    execFile(process.execPath, [join(packageRoot, RUNNER)], { cwd: packageRoot }, (_error, stdout) => resolve(stdout))
  })
}
