/** What is done from the command line to a Wasm container that runs. */
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import { CommandLine } from '../support/command-line.js'
import { NATIVE, program } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('e2e/wasm-exec')
const native = test.needs(NATIVE)
const wolffia = new CommandLine()
const PROBE = '/probe.wasm'

/** A detached container that waits, for one test. */
async function running(name: string, body: () => Promise<void>, ...flags: readonly string[]): Promise<void> {
  await wolffia.output('import', resolve('dist/wasm/probe.wasm'), 'probe')
  await wolffia.output('run', '-d', '--name', name, ...flags, 'probe', 'sleep', '1000000')
  try {
    await body()
  } finally {
    await wolffia.run(['rm', '-f', name])
  }
}

/** Bytes of a file in the container. */
async function sizeOf(name: string, path: string): Promise<number> {
  return Number((await wolffia.run(['exec', name, PROBE, 'size', path])).stdout)
}

native('exec runs in it with an exit code, stdin, variables and a folder, and the first program is told nothing', () =>
  running('one', async () => {
    const { code, stdout, stderr } = await wolffia.run(['exec', 'one', PROBE, 'print', 'out', ',', 'print-error', 'err', ',', 'exit', '7'])
    assert.equal([code, stdout, stderr], [7, 'out\n', 'err\n'])
    assert.is((await wolffia.run(['exec', '-i', 'one', PROBE, 'echo'], { input: 'typed' })).stdout, 'typed')
    assert.match((await wolffia.run(['exec', '-e', 'A=b', 'one', PROBE, 'env'])).stdout, /^A=b$/m)
    assert.equal((await wolffia.run(['exec', '-u', '7', 'one', PROBE, 'write', '/x', 'x'])).stdout, '/x: EACCES\n')
    assert.is((await wolffia.run(['exec', 'one', '/nothing'])).code, 127)
    assert.is((await wolffia.run(['exec', '-w', '/nowhere', 'one', PROBE])).code, 1)
    assert.is(await wolffia.output('logs', 'one'), '')
  }),
)

native('exec -d goes on by itself, and one whose command is killed does not', () =>
  running('two', async () => {
    const ticks = ['append', '/ticks', 'x', ',', 'sleep', '5', ',']
    const many = Array.from({ length: 2000 }, () => ticks).flat()
    const client = wolffia.start(['exec', 'two', PROBE, ...many])
    while (!((await sizeOf('two', '/ticks')) > 0)) await sleep(20)
    client.kill('SIGKILL')
    await once(client, 'exit')
    const stopped = await sizeOf('two', '/ticks')
    await sleep(300)
    const after = await sizeOf('two', '/ticks')
    assert.ok(after - stopped <= 1, `${stopped}, then ${after}`)
    await wolffia.output('exec', '-d', 'two', PROBE, ...many)
    const begun = await sizeOf('two', '/ticks')
    for (let tries = 0; (await sizeOf('two', '/ticks')) < begun + 20 && tries < 100; tries++) await sleep(20)
    assert.ok((await sizeOf('two', '/ticks')) >= begun + 20)
    // The container's end is theirs.
    await wolffia.output('stop', 'two')
    assert.is((await wolffia.run(['exec', 'two', PROBE])).code, 1)
  }),
)

native('cp goes both ways while it runs, export and diff see what it has', () =>
  running('three', async () => {
    const folder = join(wolffia.folder, 'to-copy')
    mkdirSync(join(folder, 'inner'), { recursive: true })
    writeFileSync(join(folder, 'inner/file'), 'from the host', { mode: 0o640 })
    await wolffia.output('cp', folder, 'three:/came')
    assert.is((await wolffia.run(['exec', 'three', PROBE, 'cat', '/came/inner/file'])).stdout, 'from the host')
    await wolffia.run(['exec', 'three', PROBE, 'write', '/came/made', 'in it'])
    await wolffia.output('cp', 'three:/came', join(wolffia.folder, 'back'))
    assert.is(readFileSync(join(wolffia.folder, 'back/made'), 'utf8'), 'in it')
    assert.is(statSync(join(wolffia.folder, 'back/inner/file')).mode & 0o777, 0o640)
    assert.is(await wolffia.output('diff', 'three'), 'A /came\nA /came/inner\nA /came/inner/file\nA /came/made\n')
    await wolffia.output('export', '-o', join(wolffia.folder, 'root.tar'), 'three')
    assert.ok(readFileSync(join(wolffia.folder, 'root.tar')).includes('from the host'))
    assert.is((await wolffia.run(['cp', 'three:/nothing', wolffia.folder])).code, 1)
    assert.not.ok(existsSync(join(wolffia.folder, 'nothing')))
  }),
)

native('its health is checked, its processes are shown, and what they use', () =>
  running(
    'four',
    async () => {
      for (let tries = 0; !/healthy/.test(await wolffia.output('ps')) && tries < 100; tries++) await sleep(50)
      assert.match(await wolffia.output('ps'), /\(healthy\)/)
      assert.match(await wolffia.output('top', 'four'), /node/)
      assert.match(
        await wolffia.output('stats', '--no-stream', '--format', '{{.Name}} {{.MemUsage}} {{.PIDs}}'),
        /^four [\d.]+MiB \/ .* \d+$/m,
      )
    },
    '--health-cmd',
    `${PROBE} print well`,
    '--health-interval',
    '200ms',
  ),
)

test.needs(NATIVE, program('python3'))('exec -it is a terminal: it echoes, knows ^C, and gives ours back', () =>
  running('five', async () => {
    const { code, stdout } = await wolffia.atTerminal(
      ['exec', '-it', 'five', PROBE, 'print', 'begun', ',', 'echo'],
      [{ expect: 'begun' }, { send: 'helo\u007flo\r' }, { expect: 'hello\r\n' }, { send: '\u0003' }],
    )
    assert.is(code, 130, stdout)
    assert.match(stdout, /terminal restored/)
  }),
)

test('nothing is left', () => wolffia.end())

test.run()
