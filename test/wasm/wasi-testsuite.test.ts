/**
 * The official tests of preview1 (github.com/WebAssembly/wasi-testsuite, branch prod/testsuite-base, which holds the compiled tests) and of
 * wasi-threads (the same, branch prod/testsuite-all), run behind the Wasm wall as containers. `WASI_TESTSUITE` names a checkout, or a folder
 * with the `tests` of both; what is not there is skipped.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { messageOf } from '../../src/errors.js'
import { WASI_ENGINES } from '../../src/wasm/sandbox/module-compiler.js'
import { componentOf } from '../support/components.js'
import type { SpecChange } from '../support/specs.js'
import { type Requirement, suite } from '../support/suite.js'
import { withWasmWall } from '../support/wasm-wall.js'

/** A test's specification (doc/specification.md, "Configuration Spec", legacy form). */
interface Specification {
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly root?: string
  readonly exit_code?: number
  readonly stdout?: string
  readonly stderr?: string
}

const LANGUAGES = ['assemblyscript', 'c', 'rust']
const TESTS_EXPECTED = 72
const THREAD_TESTS = 'tests/proposals/wasi-threads'
const THREAD_TESTS_EXPECTED = 15
/** Of the other engine: what its receipts say. */
const WASMER_PASSES = Number(/\((\d+) of 72/.exec(WASI_ENGINES.wasmer)?.[1])
const WASMER_LIMITS = { timeoutMs: 60_000 }
/**
 * What is lost on the way to a component: AssemblyScript's heap takes the memory that the adapter has grown for itself, the adapter renumbers
 * and narrows rights otherwise and knows no sockets, an exit code is 0 or 1.
 */
const COMPONENTS_FAIL: readonly string[] = [
  'args_get-multiple-arguments.wasm',
  'environ_get-multiple-variables.wasm',
  'fd_fdstat_set_rights.wasm',
  'fd_write-to-invalid-fd.wasm',
  'fd_write-to-stdout.wasm',
  'proc_exit-failure.wasm',
  'random_get-zero-length.wasm',
  'renumber.wasm',
  'sock_shutdown-invalid_fd.wasm',
  'sock_shutdown-not_sock.wasm',
]
const checkout = process.env.WASI_TESTSUITE

const TESTSUITE: Requirement = {
  name: 'wasi-testsuite',
  missing: async () => {
    if (checkout === undefined) return 'WASI_TESTSUITE names no checkout of WebAssembly/wasi-testsuite (branch prod/testsuite-base)'
    return existsSync(join(checkout, 'tests')) ? null : `${checkout} holds no tests`
  },
}

const THREADS: Requirement = {
  name: 'wasi-threads tests',
  missing: async () => {
    if (checkout === undefined) return 'WASI_TESTSUITE names no checkout of WebAssembly/wasi-testsuite (branch prod/testsuite-all)'
    return existsSync(join(checkout, THREAD_TESTS)) ? null : `${checkout} holds no tests of wasi-threads (branch prod/testsuite-all)`
  },
}

const test = suite('wasm/wasi-testsuite')

test.needs(TESTSUITE)(
  'every official test of preview1 passes',
  async () => {
    const cases = LANGUAGES.flatMap((language) => casesIn(join(checkout ?? '', 'tests', language, 'testsuite/wasm32-wasip1')))
    const failed = await failedOf(cases)
    console.log(`\nwasi-testsuite: ${cases.length - failed.length} of ${cases.length}`)
    assert.equal(failed, [])
    assert.ok(cases.length >= TESTS_EXPECTED, `${cases.length} tests found`)
  },
  { timeoutMs: 140_000 },
)

test.needs(THREADS)(
  'every official test of wasi-threads passes',
  async () => {
    const cases = casesIn(join(checkout ?? '', THREAD_TESTS))
    const failed = await failedOf(cases)
    console.log(`\nwasi-threads: ${cases.length - failed.length} of ${cases.length}`)
    assert.equal(failed, [])
    assert.ok(cases.length >= THREAD_TESTS_EXPECTED, `${cases.length} tests found`)
  },
  { timeoutMs: 140_000 },
)

test.needs(TESTSUITE)(
  'the other engine passes as many of them as its receipts say',
  async () => {
    const cases = LANGUAGES.flatMap((language) => casesIn(join(checkout ?? '', 'tests', language, 'testsuite/wasm32-wasip1')))
    const failed = await failedOf(cases, { wasiEngine: 'wasmer', limits: WASMER_LIMITS })
    const names = new Set(failed.map((each) => each.slice(0, each.indexOf(':'))))
    console.log(`\nwasi-testsuite, @wasmer/wasi: ${cases.length - names.size} of ${cases.length}`)
    if (process.env.WASI_TESTSUITE_VERBOSE !== undefined) console.log(failed.join('\n'))
    assert.is(cases.length - names.size, WASMER_PASSES)
  },
  { timeoutMs: 240_000 },
)

test.needs(TESTSUITE)(
  'of them, made components of WASI 0.2 by the adapter, as many pass as are written down here',
  async () => {
    const cases = LANGUAGES.flatMap((language) => casesIn(join(checkout ?? '', 'tests', language, 'testsuite/wasm32-wasip1')))
    const failed = await failedOf(cases, {}, componentOf)
    const names = new Set(failed.map((each) => each.slice(0, each.indexOf(':'))))
    console.log(`\nwasi-testsuite, components: ${cases.length - names.size} of ${cases.length}`)
    if (process.env.WASI_TESTSUITE_VERBOSE !== undefined) console.log(failed.join('\n'))
    assert.equal([...names].sort(), COMPONENTS_FAIL)
  },
  { timeoutMs: 240_000 },
)

/** What is wrong with those that fail. Two at a time: most of a test is the start of a process. */
async function failedOf(cases: readonly Case[], change: SpecChange = {}, made: Make = (module) => module): Promise<string[]> {
  const failed: string[] = []
  const queue = [...cases]
  const worker = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) failed.push(...(await runCase(next, change, made)))
  }
  await Promise.all([worker(), worker()])
  return failed
}

/** What is run of a test's module. */
type Make = (module: Uint8Array) => Uint8Array | Promise<Uint8Array>

interface Case {
  readonly name: string
  readonly folder: string
  readonly specification: Specification
}

function casesIn(folder: string): Case[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.wasm'))
    .map((file) => {
      const path = join(folder, file.replace(/\.wasm$/, '.json'))
      return { name: file, folder, specification: existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Specification) : {} }
    })
}

async function runCase({ name, folder, specification }: Case, change: SpecChange, made: Make): Promise<string[]> {
  const { args = [], env = {}, root, exit_code = 0, stdout, stderr } = specification
  const module = `/${name}`
  const problems: string[] = []
  const runCommand: Parameters<typeof withWasmWall>[1] = async ({ run }) => {
    const environment = Object.entries(env).map(([key, value]) => `${key}=${value}`)
    // Its stdin stays open: a read of it waits.
    const result = await run([module, ...args], { change: { ...change, process: { env: environment } }, stdin: null })
    if (result.status.exitCode !== exit_code) problems.push(`${name}: exit code ${result.status.exitCode}: ${result.stderr.slice(0, 300)}`)
    else if (stdout !== undefined && result.stdout !== stdout) problems.push(`${name}: stdout ${JSON.stringify(result.stdout)}`)
    else if (stderr !== undefined && result.stderr !== stderr) problems.push(`${name}: stderr ${JSON.stringify(result.stderr)}`)
  }
  try {
    const bytes = await made(readFileSync(join(folder, name)))
    const files = { [module]: bytes, ...(root === undefined ? {} : filesBelow(join(folder, root), '')) }
    await withWasmWall(files, runCommand, { preopens: root === undefined ? 'none' : 'all' })
  } catch (error) {
    problems.push(`${name}: ${messageOf(error)}`)
  }
  return problems
}

function filesBelow(folder: string, prefix: string): Record<string, Uint8Array> {
  return Object.fromEntries(
    readdirSync(folder).flatMap((name) => {
      const path = join(folder, name)
      if (statSync(path).isDirectory()) return Object.entries(filesBelow(path, `${prefix}/${name}`)) as [string, Uint8Array][]
      return [[`${prefix}/${name}`, readFileSync(path)]] as [string, Uint8Array][]
    }),
  )
}

test.run()
