import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import * as assert from 'uvu/assert'
import { CommandLine } from '../support/command-line.js'
import { suite } from '../support/suite.js'

const test = suite('e2e/reproducible')
const wolffia = new CommandLine()
let imported: Promise<unknown> | undefined

/** `run` of the guest `probe`, imported as a bare module. */
async function probe(flags: readonly string[], words: string) {
  imported ??= wolffia.output('import', resolve('dist/wasm/probe.wasm'), 'probe')
  await imported
  return wolffia.run(['run', ...flags, 'probe', ...words.split(' ')])
}

test('--fuel ends a program with a sentence of its own, and inspect and the receipt say what it had', async () => {
  const short = await probe(['--rm', '--fuel', '1m'], 'loop')
  assert.equal([short.code, short.stderr], [134, 'wolffia: it used up its fuel of 1000000\n'])
  const enough = await probe(['--name', 'fuelled', '--fuel', '1g', '--require', 'fuel'], 'exit 3')
  assert.is(enough.code, 3, enough.stderr)
  const [{ Wolffia }] = JSON.parse(await wolffia.output('inspect', 'fuelled'))
  assert.is(Wolffia.Limits.fuel, 1e9)
  assert.is(Wolffia.Exit.reason, 'exited')
  assert.ok(Wolffia.Exit.fuelLeft > 0 && Wolffia.Exit.fuelLeft < 1e9)
  assert.equal(Wolffia.Receipt.wasm.instrumented, ['fuel'])
  await wolffia.output('rm', 'fuelled')
  for (const wrong of ['0', '-1', '1.5', '9999999g', 'much']) {
    const { code, stderr } = await probe(['--rm', `--fuel=${wrong}`], 'exit 0')
    assert.is(code, 125, wrong)
    assert.match(stderr, /"--fuel" flag/)
  }
})

test('--deterministic gives the same output each time, another with another seed', async () => {
  const words = 'clock , random 8 , sleep 5000000 , clock'
  const first = await probe(['--rm', '--deterministic'], words)
  assert.is(first.code, 0, first.stderr)
  assert.is((await probe(['--rm', '--deterministic'], words)).stdout, first.stdout)
  const seeded = await probe(['--rm', '--deterministic=7'], words)
  assert.is.not(seeded.stdout, first.stdout)
})

test('what --record has written, replay plays without the folder that was mounted, from any directory', async () => {
  const input = join(wolffia.folder, 'input')
  writeFileSync(input, 'one\n')
  const recorded = await probe(
    ['--rm', '--record', 'run.rec', '-v', `${wolffia.folder}:/src:ro`],
    'random 8 , cat /src/input , clock , print-error bad , exit 5',
  )
  assert.is(recorded.code, 5, recorded.stderr)
  writeFileSync(input, 'two\n')
  const replayed = await wolffia.run(['replay', join(wolffia.folder, 'run.rec')], { cwd: '/' })
  assert.equal(replayed, recorded)
  assert.equal(wolffia.containers(), [])
})

test('replay refuses by name what it cannot play', async () => {
  const missing = await wolffia.run(['replay', 'none.rec'])
  assert.is(missing.code, 125)
  assert.match(missing.stderr, /cannot open the recording/)
  writeFileSync(join(wolffia.folder, 'bad.rec'), 'no recording\n')
  assert.match((await wolffia.run(['replay', 'bad.rec'])).stderr, /cannot be read/)
  const whole = readFileSync(join(wolffia.folder, 'run.rec'))
  writeFileSync(join(wolffia.folder, 'cut.rec'), whole.subarray(0, whole.length - 40))
  const cut = await wolffia.run(['replay', 'cut.rec'])
  assert.is(cut.code, 125)
  assert.match(cut.stderr, /the replay diverges from its recording at call \d+/)
})

test('leaves nothing behind', () => wolffia.end())

test.run()
