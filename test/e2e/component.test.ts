/** WASI 0.2 components as their user has them: images, mounts, signals, and what is refused, from the command line and by the library. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { Plugin } from '../../src/index.js'
import { CommandLine } from '../support/command-line.js'
import { componentOf } from '../support/components.js'
import { suite } from '../support/suite.js'
import { guestBytes } from '../support/wasm-wall.js'

const test = suite('e2e/component')
const wolffia = new CommandLine()
let made: Promise<void> | undefined

/** As components: the guest `probe` as an image of its own, and CPython as a file of an image with a root. */
function images(): Promise<void> {
  made ??= (async () => {
    writeFileSync(join(wolffia.folder, 'probe.wasm'), await componentOf(guestBytes('probe')))
    await wolffia.output('import', 'probe.wasm', 'probe')
    const root = join(wolffia.folder, 'root')
    mkdirSync(join(root, 'etc'), { recursive: true })
    writeFileSync(join(root, 'etc/greeting'), 'from the layer\n')
    const python = readFileSync(join('node_modules', '@antonz', 'python-wasi', 'dist', 'python.wasm'))
    writeFileSync(join(root, 'python.wasm'), await componentOf(python))
    execFileSync('tar', ['-C', root, '-cf', join(wolffia.folder, 'root.tar'), '.'])
    await wolffia.output('import', 'root.tar', 'rooted')
  })()
  return made
}

test('a component is an image for wasi/wasm, with words, variables, stdin and an exit code', async () => {
  await images()
  assert.match(await wolffia.output('images'), /probe +latest .* wasi\/wasm/)
  const run = (...words: string[]) => wolffia.run(['run', '--rm', 'probe', ...words])
  const { code, stdout, stderr } = await run('print', 'a', 'b', ',', 'print-error', 'c', ',', 'exit', '3')
  // wasi:cli/exit of 0.2 knows success and failure alone.
  assert.equal([code, stdout, stderr], [1, 'a b\n', 'c\n'])
  assert.is((await wolffia.run(['run', '--rm', '-e', 'NAME=x', 'probe', 'env'])).stdout, 'NAME=x\n')
  assert.is((await wolffia.run(['run', '--rm', '-i', 'probe', 'echo'], { input: 'typed' })).stdout, 'typed')
  assert.is((await run('trap')).code, 134)
})

test('a component in a layer sees the image, writes its own layer, and a volume only where it may', async () => {
  await images()
  const kept = join(wolffia.folder, 'kept')
  mkdirSync(kept)
  writeFileSync(join(kept, 'there'), 'host\n')
  const script =
    "print(open('/etc/greeting').read() + open('/kept/there').read()); open('/new', 'w').write('x'); open('/kept/made', 'w').write('y')"
  const writable = await wolffia.run(['run', '--name', 'one', '-v', `${kept}:/kept`, 'rooted', '/python.wasm', '-c', script])
  assert.equal([writable.code, writable.stdout], [0, 'from the layer\nhost\n\n'], writable.stderr)
  assert.is(readFileSync(join(kept, 'made'), 'utf8'), 'y')
  assert.match(await wolffia.output('diff', 'one'), /^A \/new$/m)
  const shut = await wolffia.run(['run', '--rm', '-v', `${kept}:/kept:ro`, 'rooted', '/python.wasm', '-c', "open('/kept/made', 'w')"])
  assert.match(shut.stderr, /OSError: .*Read-only file system/)
  assert.is(readFileSync(join(kept, 'made'), 'utf8'), 'y')
  await wolffia.output('rm', 'one')
})

test('an endless component is stopped, paused and killed as any container is', async () => {
  await images()
  await wolffia.output('run', '-d', '--name', 'endless', 'probe', 'loop')
  await wolffia.output('pause', 'endless')
  assert.match(await wolffia.output('ps', '--format', '{{.Status}}'), /Paused/)
  await wolffia.output('unpause', 'endless')
  await wolffia.output('stop', '-t', '1', 'endless')
  assert.is((await wolffia.output('inspect', '-f', '{{.State.ExitCode}}', 'endless')).trim(), '143')
  await wolffia.output('rm', 'endless')
  assert.is((await wolffia.run(['run', '--rm', '--timeout', '2s', 'probe', 'loop'])).code, 137)
})

test('a component may have fuel, be recorded and replayed, and be a plugin', async () => {
  await images()
  const out = await wolffia.run(['run', '--rm', '--fuel', '1m', 'probe', 'loop'])
  assert.equal([out.code, /fuel/.test(out.stderr)], [134, true], out.stderr)
  const recorded = await wolffia.run(['run', '--rm', '--record', 'run.rec', 'probe', 'random', '16', ',', 'clock', ',', 'exit', '3'])
  assert.is(recorded.code, 1, recorded.stderr)
  const replayed = await wolffia.run(['replay', 'run.rec'])
  assert.equal([replayed.code, replayed.stdout], [1, recorded.stdout], replayed.stderr)
  await using plugin = await Plugin.load({ bytes: await componentOf(guestBytes('probe')) })
  assert.is((await plugin.run(['print', 'x'])).stdout.toString(), 'x\n')
})

test('what a component cannot have is refused by name, with the way out', async () => {
  await images()
  const { code, stderr } = await wolffia.run(['run', '--rm', '--wasi-engine', 'wasmer', 'probe', 'print', 'x'])
  assert.is(code, 125, stderr)
  assert.match(stderr, /--wasi-engine wasmer: the program is a component/)
  assert.match(stderr, /wasm32-wasip1/)
  assert.equal(wolffia.containers(), [])
})

test('nothing is left', () => wolffia.end())

test.run()
