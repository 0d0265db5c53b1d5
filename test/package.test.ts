/** What `npm pack` makes, put where npm would put it: the command line runs, the library has its types, the launcher compiles. */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import * as assert from 'uvu/assert'
import { CommandLine } from './support/command-line.js'
import { program } from './support/requirements.js'
import { suite } from './support/suite.js'

const test = suite('package')
const wolffia = new CommandLine()
const run = promisify(execFile)
const app = join(wolffia.folder, 'app')
const installed = join(app, 'node_modules/wolffia')

/** Unpacks the package into an application's node_modules, with its dependencies beside it. */
async function install(): Promise<void> {
  mkdirSync(installed, { recursive: true })
  const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', app])
  const [{ filename }] = JSON.parse(stdout) as [{ filename: string }]
  await run('tar', ['-xzf', join(app, filename), '--strip-components=1', '-C', installed])
  const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as { dependencies: Record<string, string> }
  // What the examples hand over is memfs, which an application has of its own.
  for (const name of [...Object.keys(dependencies), '@types', 'memfs']) {
    const place = join(app, 'node_modules', name)
    mkdirSync(dirname(place), { recursive: true })
    symlinkSync(resolve('node_modules', name), place)
  }
}

test('the package holds no program of the machine it was packed on, and says how to make the launcher', async () => {
  await install()
  assert.not(existsSync(join(installed, 'dist/launcher')))
  const { stdout } = await run(process.execPath, [join(installed, 'dist/cli.cjs'), 'doctor'], {
    env: { PATH: process.env.PATH, WOLFFIA_HOME: wolffia.home, WOLFFIA_HOLDER_SECONDS: '2' },
  }).catch((error: { readonly stdout: string }) => error)
  assert.ok(stdout.includes(`then node ${join(installed, 'scripts/launcher.mjs')}`), stdout)
})

test('without a C compiler the installation goes through and says what is left out', async () => {
  const { stderr } = await run(process.execPath, [join(installed, 'scripts/launcher.mjs')], { env: { PATH: '/nowhere' } })
  assert.match(stderr, /^wolffia: native containers are left out: there is no C compiler \(cc\): install gcc or clang/)
  assert.not(existsSync(join(installed, 'dist/launcher')))
})

test.needs(program('cc'))('the launcher compiles where the package is installed', async () => {
  const { stderr } = await run(process.execPath, [join(installed, 'scripts/launcher.mjs')])
  assert.is(stderr, '')
  assert.ok(statSync(join(installed, 'dist/launcher')).mode & 0o100)
})

test(
  'the README examples of the library, all of them, compile against the declarations of the package',
  async () => {
    const tsc = resolve('node_modules/typescript/bin/tsc')
    await run(process.execPath, [tsc, '-p', 'tsconfig.types.json', '--outDir', join(installed, 'dist/types')])
    const examples = [...readFileSync('README.md', 'utf8').matchAll(/^```ts\n(.*?)^```$/gms)].map(([, example]) => example)
    const files = examples.map((_example, number) => `example-${number}.ts`)
    for (const [number, name] of files.entries()) writeFileSync(join(app, name), `${examples[number]}export {}\n`)
    assert.ok(files.length > 1)
    writeFileSync(join(app, 'package.json'), '{ "type": "module" }')
    const compilerOptions = {
      target: 'ES2022',
      module: 'NodeNext',
      lib: ['ES2023', 'ESNext.Disposable'],
      strict: true,
      noEmit: true,
      types: ['node'],
    }
    writeFileSync(join(app, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }))
    const { stdout } = await run(process.execPath, [tsc, '-p', app]).catch((error: { readonly stdout: string }) => error)
    assert.is(stdout, '')
  },
  // The compiler twice, on however busy a machine.
  { timeoutMs: 120_000 },
)

test('nothing is left', () => wolffia.end())

test.run()
