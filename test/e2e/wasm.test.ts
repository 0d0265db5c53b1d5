import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import * as assert from 'uvu/assert'
import type { Receipt } from '../../src/runtime/receipt.js'
import { type Circumstances, CommandLine } from '../support/command-line.js'
import { suite } from '../support/suite.js'
import { wat } from '../support/wat.js'

const test = suite('e2e/wasm')
const wolffia = new CommandLine()
let imported: Promise<unknown> | undefined

/** `run --rm` of the guest `hello`, imported as a bare module. */
async function hello(flags: readonly string[] = [], words: readonly string[] = [], circumstances: Circumstances = {}) {
  imported ??= wolffia.output('import', resolve('dist/wasm/hello.wasm'), 'hello')
  await imported
  return wolffia.run(['run', '--rm', ...flags, 'hello', ...words], circumstances)
}

test('a bare module becomes an image for wasi/wasm and runs without saying which wall', async () => {
  const { code, stdout, stderr } = await hello()
  assert.equal([code, stderr], [0, ''])
  assert.match(stdout, /[Hh]ello/)
  assert.match(await wolffia.output('images'), /hello +latest .* wasi\/wasm/)
  assert.equal(wolffia.containers(), [])
})

test('the receipt names the wall, the engine and what the guest was given', async () => {
  const { stderr } = await hello(['--receipt', '-e', 'ONLY=this'])
  const receipt: Receipt = JSON.parse(stderr)
  assert.is(receipt.wall, 'wasm')
  assert.equal(
    receipt.wasm?.environment.map((variable) => variable.split('=', 1)[0]),
    ['ONLY'],
  )
  assert.ok((receipt.wasm?.memoryPagesMaximum ?? 0) > 0)
})

test('--runtime native on a module says why not and what to do', async () => {
  const { code, stdout, stderr } = await hello(['--runtime', 'native'])
  assert.equal([code, stdout], [125, ''])
  assert.match(stderr, /WebAssembly module/)
  assert.match(stderr, /--runtime wasm/)
})

test('a file that only calls itself a module is refused when it is run, and nothing is left', async () => {
  writeFileSync(join(wolffia.folder, 'broken.wasm'), Buffer.from('\0asm\u0001\0\0\0and then nothing that is wasm', 'latin1'))
  await wolffia.output('import', 'broken.wasm', 'broken')
  const { code, stderr } = await wolffia.run(['run', '--rm', 'broken'])
  assert.ok(code === 126 || code === 125, `${code}`)
  assert.match(stderr, /^wolffia: /)
  assert.not.match(stderr, /^\s+at /m)
  assert.equal(wolffia.containers(), [])
})

test('a guest over its time limit is killed, in the words of the native wall', async () => {
  writeFileSync(join(wolffia.folder, 'endless.wasm'), wat('(module (memory (export "memory") 1) (func (export "_start") (loop (br 0))))'))
  await wolffia.output('import', 'endless.wasm', 'endless')
  const { code, stderr } = await wolffia.run(['run', '--rm', '--timeout', '300ms', 'endless'])
  assert.equal([code, stderr], [137, 'wolffia: killed after its time limit of 300ms\n'])
})

test('what the Wasm wall cannot do is an error: -u by a name that is not there, --network host', async () => {
  assert.is((await hello(['-u', 'nosuch'])).code, 125)
  const network = await hello(['--network', 'host'])
  assert.equal([network.code, network.stdout], [125, ''], network.stderr)
})

test('nothing is left', () => wolffia.end())

test.run()
