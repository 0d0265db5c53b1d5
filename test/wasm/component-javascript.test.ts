/**
 * A component that wolffia had no hand in: JavaScript and an engine for it (StarlingMonkey), made by ComponentizeJS against the WIT of WASI 0.2.
 * `COMPONENTIZE_JS` names a folder in which `npm install @bytecodealliance/componentize-js` was done, 385 MB; without it this is skipped.
 */
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import * as assert from 'uvu/assert'
import { type Requirement, suite } from '../support/suite.js'
import { withWasmWall } from '../support/wasm-wall.js'

interface ComponentizeJs {
  componentize(
    source: string,
    options: { readonly witPath: string; readonly worldName: string; readonly disableFeatures: readonly string[] },
  ): Promise<{ readonly component: Uint8Array }>
}

const test = suite('wasm/component of JavaScript')
const installed = process.env.COMPONENTIZE_JS ?? ''
/** Of each version of WASI, a folder. */
const WIT = 'node_modules/@bytecodealliance/jco/lib/wit/builtin'

const COMPONENTIZE_JS: Requirement = {
  name: 'componentize-js',
  missing: async () => {
    if (installed === '') return 'COMPONENTIZE_JS names no folder with @bytecodealliance/componentize-js'
    return existsSync(join(installed, WIT)) ? null : `${installed} has no ${WIT}`
  },
}

const IMPORTED = ['cli/environment', 'cli/stdout', 'cli/stdin', 'filesystem/preopens', 'filesystem/types', 'clocks/wall-clock']
const PACKAGES = ['cli', 'clocks', 'filesystem', 'io', 'random', 'sockets']

const sourceOf = (version: string) => `
import { getEnvironment, getArguments } from 'wasi:cli/environment@${version}'
import { getStdout } from 'wasi:cli/stdout@${version}'
import { getStdin } from 'wasi:cli/stdin@${version}'
import { getDirectories } from 'wasi:filesystem/preopens@${version}'
import { now } from 'wasi:clocks/wall-clock@${version}'
const print = (...words) => getStdout().blockingWriteAndFlush(new TextEncoder().encode(words.map((word) => JSON.stringify(word)).join(' ') + '\\n'))
export const run = { run() {
  print(getArguments().slice(1), getEnvironment().find(([name]) => name === 'NAME'), getDirectories().map(([, name]) => name))
  const [[root]] = getDirectories()
  const file = root.openAt({}, 'data/from-js', { create: true, truncate: true }, { read: true, write: true })
  file.write(new TextEncoder().encode('written'), 0n)
  print(new TextDecoder().decode(file.read(100n, 0n)[0]), root.statAt({}, 'data/from-js').size.toString())
  try { root.openAt({}, 'missing', {}, { read: true }) } catch (error) { print(error.payload) }
  let input = ''
  try { for (;;) input += new TextDecoder().decode(getStdin().blockingRead(1024n)) } catch (error) { print(input, error.payload.tag) }
  print(Math.abs(Date.now() - Number(now().seconds) * 1000) < 60000, Math.random() !== Math.random())
} }`

async function make(): Promise<Uint8Array> {
  const folder = mkdtempSync(join(tmpdir(), 'wolffia-componentize-'))
  try {
    const versions = readdirSync(join(installed, WIT)).filter(
      (name) => existsSync(join(installed, WIT, name, 'wasi-cli')) && name.startsWith('0.2.'),
    )
    const version = versions.at(-1) ?? ''
    for (const name of PACKAGES) cpSync(join(installed, WIT, version, `wasi-${name}`), join(folder, 'deps', name), { recursive: true })
    const imports = IMPORTED.map((name) => `  import wasi:${name}@${version};\n`).join('')
    writeFileSync(join(folder, 'world.wit'), `package test:guest;\nworld command {\n${imports}  export wasi:cli/run@${version};\n}\n`)
    const path = join(installed, 'node_modules/@bytecodealliance/componentize-js/src/componentize.js')
    const { componentize } = (await import(pathToFileURL(path).href)) as ComponentizeJs
    const features = { witPath: folder, worldName: 'command', disableFeatures: ['http', 'fetch-event'] }
    return (await componentize(sourceOf(version), features)).component
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

test.needs(COMPONENTIZE_JS)(
  'it has its arguments, environment, files, errors, stdin, clocks and randomness',
  async () => {
    await withWasmWall({ '/guest.wasm': await make(), '/data/file': '' }, async ({ run }) => {
      const change = { process: { args: ['/guest.wasm', 'one', 'two three'], env: ['NAME=value'] } }
      const { status, stdout, stderr } = await run(['/guest.wasm', 'one', 'two three'], { change, stdin: 'hello\n' })
      assert.equal([status.exitCode, stderr], [0, ''])
      assert.equal(stdout.split('\n'), [
        '["one","two three"] ["NAME","value"] ["/"]',
        '"written" "7"',
        '"no-entry"',
        '"hello\\n" "closed"',
        'true true',
        '',
      ])
    })
  },
  { timeoutMs: 300_000 },
)

test.run()
