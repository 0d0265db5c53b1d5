import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import { CommandLine } from '../support/command-line.js'
import { BUSYBOX, NATIVE } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('e2e/signals')
const wolffia = new CommandLine()
const native = test.needs(NATIVE, BUSYBOX)

/** Starts a container whose guest, a shell, says `ready` when it is so. */
const start = (script: string, flags: readonly string[] = ['--rm']) => startProgram(['sh', '-c', script], flags)

async function startProgram(words: readonly string[], flags: readonly string[]) {
  await wolffia.busybox()
  const child = wolffia.start(['run', ...flags, 'busybox', ...words])
  const ended = once(child, 'close').then(([code, signal]) => code ?? signal)
  let shown = ''
  const ready = new Promise<void>((resolve) => {
    child.stdout.setEncoding('utf8').on('data', (chunk) => {
      shown += chunk
      if (shown.includes('ready\n')) resolve()
    })
  })
  const stderr = text(child.stderr)
  await Promise.race([ready, ended.then(async (code) => assert.unreachable(`ended with ${code} before it was ready: ${await stderr}`))])
  return { child, ended, output: () => shown, stderr }
}

/** A guest that runs until it is killed. */
const FOREVER = 'echo ready; while :; do sleep 1; done'

async function untilNoProcess(): Promise<void> {
  for (let attempt = 0; wolffia.processes().length > 0 && attempt < 1000; attempt++) await sleep(20)
  assert.equal(wolffia.processes(), [])
}

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
  ['SIGQUIT', 131],
] as const)
  native(`${signal} goes to the guest, and a container made with --rm leaves nothing`, async () => {
    // No shell: busybox's loses a SIGQUIT that comes before it has become another program.
    const { child, ended } = await startProgram(['busybox', 'tail', '-f', '/etc/hostname'], ['--rm', '--hostname', 'ready'])
    child.kill(signal)
    assert.is(await ended, code)
    assert.equal(wolffia.containers(), [])
    await untilNoProcess()
  })

native('a guest that handles a signal ends as it wants to', async () => {
  const { child, ended, output } = await start('trap "echo got it; exit 9" TERM; echo ready; while :; do sleep 0.1; done')
  child.kill('SIGTERM')
  assert.is(await ended, 9)
  assert.match(output(), /got it/)
})

native('signals that end nothing go to the guest too', async () => {
  const { child, ended, output } = await start(
    'trap "echo one" USR1; trap "echo two; exit 4" USR2; echo ready; while :; do sleep 0.1; done',
  )
  child.kill('SIGUSR1')
  for (let attempt = 0; !output().includes('one') && attempt < 500; attempt++) await sleep(20)
  child.kill('SIGUSR2')
  assert.is(await ended, 4)
  assert.match(output(), /one\ntwo/)
})

native('every signal that docker forwards and Node hears goes to the guest', async () => {
  const names = 'CONT TSTP WINCH ALRM VTALRM XCPU XFSZ IO PWR STKFLT SYS TRAP ABRT'.split(' ')
  const traps = names.map((name) => `trap "echo got ${name}" ${name === 'IO' ? 'POLL' : name}`).join('; ')
  const { child, ended, output } = await start(`${traps}; trap "exit 3" TERM; echo ready; while :; do sleep 0.05; done`)
  for (const name of names) {
    child.kill(`SIG${name}` as NodeJS.Signals)
    for (let attempt = 0; !output().includes(`got ${name}\n`) && attempt < 500; attempt++) await sleep(20)
    assert.ok(output().includes(`got ${name}\n`), `${name}: ${output()}`)
  }
  child.kill('SIGTERM')
  assert.is(await ended, 3)
})

native('a second ^C kills a guest that would not listen', async () => {
  const { child, ended, output } = await start('trap "echo asked" INT TERM; echo ready; while :; do sleep 0.1; done')
  child.kill('SIGINT')
  for (let attempt = 0; !output().includes('asked') && attempt < 500; attempt++) await sleep(20)
  assert.is(child.exitCode, null, 'the first is left to the guest')
  child.kill('SIGINT')
  assert.is(await ended, 137)
  await untilNoProcess()
})

native('killing the command kills the container, and ps, rm and the next command know', async () => {
  const { child, ended } = await start(FOREVER, ['--name', 'left'])
  await wolffia.untilRunning('left')
  child.kill('SIGKILL')
  await ended
  await untilNoProcess()
  assert.not.match(await wolffia.output('ps'), /left/)
  assert.match(await wolffia.output('ps', '-a'), /Exited \(137\) .*ago +left/)
  assert.is(await wolffia.output('rm', 'left'), 'left\n')
  assert.equal(wolffia.containers(), [])
})

native('killing the launcher ends the command as a killed guest does, with a word about it, and leaves nothing', async () => {
  const { child, ended, stderr } = await start(FOREVER)
  const [launcher] = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'latin1').split(' ')
  process.kill(Number(launcher), 'SIGKILL')
  assert.is(await ended, 137)
  assert.match(await stderr, /^wolffia: the launcher ended without a word \(SIGKILL\)\n$/)
  assert.equal(wolffia.containers(), [])
  await untilNoProcess()
})

native('a killed command with --rm is cleaned up by the next command', async () => {
  const { child, ended } = await start(FOREVER, ['--rm', '--name', 'swept'])
  child.kill('SIGKILL')
  await ended
  await untilNoProcess()
  assert.is(wolffia.containers().length, 1)
  assert.not.match(await wolffia.output('ps', '-a'), /swept/)
  assert.equal(wolffia.containers(), [])
  assert.equal(readdirSync(join(wolffia.home, 'containers', 'names')), [])
})

native('a running container is removed by force only, by another command, and its own command ends', async () => {
  const { ended } = await start(FOREVER, ['--name', 'busy'])
  const refused = await wolffia.run(['rm', 'busy'])
  assert.equal([refused.code, /container busy is running/.test(refused.stderr)], [1, true])
  assert.match(refused.stderr, /rm -f busy/)
  assert.is(await wolffia.output('rm', '-f', 'busy'), 'busy\n')
  assert.is(await ended, 137)
  assert.equal(wolffia.containers(), [])
})

native('^C while a container is being made leaves nothing', async () => {
  await wolffia.busybox()
  for (const delayMs of [30, 90, 150, 220]) {
    const child = wolffia.start(['run', '--rm', 'busybox', 'sleep', '60'])
    const said = text(child.stderr)
    const ended = once(child, 'close')
    await sleep(delayMs)
    child.kill('SIGINT')
    const [code, signal] = await ended
    assert.ok(signal === 'SIGINT' || code === 130, `${delayMs} ms: ${code} ${signal} ${await said}`)
    await wolffia.output('ps')
    assert.equal(wolffia.containers(), [], `${delayMs} ms`)
    await untilNoProcess()
  }
})

native('a reader that goes away ends the guest as in a shell', async () => {
  await wolffia.busybox()
  const child = wolffia.start(['run', '--rm', 'busybox', 'yes'])
  const ended = once(child, 'close')
  await once(child.stdout, 'data')
  child.stdout.destroy()
  const [code] = await ended
  assert.is(code, 141)
  assert.is(await text(child.stderr), '')
})

native('many commands at once do not disturb each other', async () => {
  await wolffia.busybox()
  const runs = await Promise.all(
    Array.from({ length: 6 }, (_, place) => wolffia.run(['run', '--rm', 'busybox', 'sh', '-c', `echo ${place}; exit ${place}`])),
  )
  assert.equal(
    runs.map(({ code, stdout }) => [code, stdout]),
    Array.from({ length: 6 }, (_, place) => [place, `${place}\n`]),
  )
  const same = await Promise.all(Array.from({ length: 4 }, () => wolffia.run(['run', '--name', 'wanted', 'busybox', 'true'])))
  assert.equal(same.map(({ code }) => code).sort(), [0, 125, 125, 125])
  await wolffia.output('rm', 'wanted')
})

native('an image is first used by two commands at once', async () => {
  await wolffia.busybox()
  await wolffia.output('import', '-c', 'LABEL another=one', 'root.tar', 'another')
  const runs = await Promise.all([1, 2].map(() => wolffia.run(['run', '--rm', 'another', 'echo', 'ok'])))
  assert.equal(
    runs.map(({ stdout, stderr }) => stdout + stderr),
    ['ok\n', 'ok\n'],
  )
})

native(
  'a bench that is asked to end takes its harness with it',
  async () => {
    const child = wolffia.start(['bench', '--quick'])
    child.stdout.resume()
    await new Promise((resolve) => child.stderr.on('data', (said) => String(said).includes('first-byte') && resolve(null)))
    child.kill('SIGTERM')
    await once(child, 'exit')
    assert.equal(
      wolffia.processes().filter((line) => line.includes('bench.cjs')),
      [],
    )
  },
  { timeoutMs: 120_000 },
)

test('nothing is left', () => wolffia.end())

test.run()
