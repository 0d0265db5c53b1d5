import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import * as assert from 'uvu/assert'
import { compileDriver, Driver } from '../../bench/driver.js'
import { descendants } from '../../bench/process-memory.js'
import { eventually } from '../support/launcher-box.js'
import { program } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('bench/driver')
const withCompiler = test.needs(program('cc'))

async function withDriver(body: (driver: Driver, folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'wolffia-test-'))
  try {
    await compileDriver(resolve('bench/driver/driver.c'), join(folder, 'driver'))
    await using driver = new Driver([join(folder, 'driver')])
    await body(driver, folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

withCompiler('a program is timed from its start to its exit, and its exit code is told', () =>
  withDriver(async (driver) => {
    const slept = await driver.run('sleep', ['0.05'])
    assert.is(slept.exitCode, 0)
    assert.ok(slept.durationMs >= 50 && slept.durationMs < 5000, String(slept.durationMs))
    assert.is((await driver.run('sh', ['-c', 'exit 7'])).exitCode, 7)
    assert.is((await driver.run('sh', ['-c', 'kill -9 $$'])).exitCode, 137)
  }),
)

withCompiler('a program that is not there is an error, and the next one runs', () =>
  withDriver(async (driver) => {
    const error = await driver.run('/no/such/program', []).then(
      () => null,
      (reason) => reason,
    )
    assert.match(error.message, /\/no\/such\/program: No such file/)
    assert.is((await driver.run('true', [])).exitCode, 0)
  }),
)

withCompiler('a program is heard: its output, its first byte, and turns of one byte each', () =>
  withDriver(async (driver, folder) => {
    const keep = join(folder, 'heard')
    const heard = await driver.talk('sh', ['-c', 'echo one; echo two; exit 4'], { keep })
    assert.is(heard.output, 'one\ntwo\n')
    assert.is(heard.exitCode, 4)
    assert.ok(heard.firstByteMs !== null && heard.firstByteMs > 0 && heard.firstByteMs <= heard.durationMs)
    assert.is((await driver.talk('true', [], { keep })).firstByteMs, null)
    const turned = await driver.talk('sh', ['-c', 'echo ready; exec cat'], { keep, turns: 20 })
    assert.is(turned.output, `ready\n${'x'.repeat(20)}`)
    assert.ok(turned.turnsMs > 0 && turned.turnsMs < turned.durationMs)
    const much = await driver.talk('sh', ['-c', 'head -c 1000000 /dev/zero; echo end'], { keep })
    assert.ok(much.output.endsWith('\0end\n') && much.output.length === 65536)
  }),
)

/** Its name, or nothing when it has ended since it was found. */
function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim()
  } catch {
    return ''
  }
}

withCompiler(
  'a program goes on after its first byte until it is killed, itself or what it runs, and what it leaves is found below the driver',
  () =>
    withDriver(async (driver) => {
      const pid = await driver.start('sh', ['-c', '(sleep 600 >/dev/null & echo $!; :); sleep 600 & echo ready; wait'])
      const names = () => driver.running().map(commandOf)
      await eventually('two that sleep', () => names().filter((name) => name === 'sleep').length === 2)
      const [left] = driver.running().filter((each) => !descendants(pid).includes(each) && each !== pid)
      assert.ok(left, 'the one that was left behind')
      const { exitCode, durationMs } = await driver.kill(pid, descendants(pid)[0])
      assert.is(exitCode, 0, 'the shell has waited for its own')
      assert.ok(durationMs > 0)
      process.kill(left, 'SIGKILL')
      await eventually('its end', () => /^State:\tZ/m.test(readFileSync(`/proc/${left}/status`, 'utf8')))
      await driver.run('true', [])
      assert.equal(driver.running(), [])
    }),
)

withCompiler('a program that ends before its first byte, or before it is killed, is an error that says how it ended', () =>
  withDriver(async (driver) => {
    const messageOf = (work: Promise<unknown>) => work.then(() => null).catch((error: Error) => error.message)
    assert.is(await messageOf(driver.start('sh', ['-c', 'exit 7'])), 'sh said nothing and ended with 7')
    assert.match(String(await messageOf(driver.start('/no/such/program', []))), /No such file/)
    const pid = await driver.start('sh', ['-c', 'echo ready; exit 3'])
    await eventually('its end', () => /^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')))
    assert.is(await messageOf(driver.kill(pid)), 'it had ended by itself, with 3')
    assert.match(String(await messageOf(driver.kill(pid))), /kill: No such process/)
  }),
)

withCompiler('what runs below the driver ends with it, what has left its parent and its session too', async () => {
  let left: readonly number[] = []
  await withDriver(async (driver) => {
    await driver.run('sh', ['-c', '(setsid sh -c "sleep 600; sleep 600" &) ; (sleep 600 &)'])
    await driver.start('sh', ['-c', 'echo ready; sleep 600'])
    await eventually('all of them', () => driver.running().filter((pid) => commandOf(pid) === 'sleep').length === 3)
    left = driver.running()
  })
  assert.equal(
    left.filter((pid) => existsSync(`/proc/${pid}`)),
    [],
  )
})

test.run()
