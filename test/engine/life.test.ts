/** A container's life through the library, behind the real walls: what outlives an engine, and what a later one finds. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import type { Container } from '../../src/container/container.js'
import { parseJournalLine } from '../../src/container/journal.js'
import type { CreateOptions } from '../../src/container/options.js'
import { ContainerState } from '../../src/container/state.js'
import { Engine } from '../../src/engine/engine.js'
import { deferred } from '../../src/launcher/deferred.js'
import { CommandLine } from '../support/command-line.js'
import { assertRejects } from '../support/image-fixtures.js'
import { BUSYBOX, NATIVE } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('engine/life')
const native = test.needs(NATIVE, BUSYBOX)
const wolffia = new CommandLine()
const JSON_FILE = { driver: 'json-file', maximumBytes: null, files: 1 } as const

/** A container of busybox or of the probe module, in an engine of its own that is gone afterwards. */
async function define(options: Partial<CreateOptions> & { readonly script?: string }): Promise<Container> {
  await wolffia.busybox()
  const { script, ...others } = options
  const command = script === undefined ? {} : { command: ['sh', '-c', script] }
  await using engine = await Engine.open({ home: wolffia.home })
  return await engine.containers.define({ image: 'busybox', log: JSON_FILE, ...command, ...others })
}

/** The same container as another process would find it. */
async function found<T>({ id }: Pick<Container, 'id'>, body: (container: Container) => Promise<T>): Promise<T> {
  await using engine = await Engine.open({ home: wolffia.home })
  return await body(await engine.containers.get(id))
}

const logged = async (container: Container) => {
  let all = ''
  for await (const { text: line } of container.logs()) all += line
  return all
}

/** Waits until it has said that. */
async function says(container: Container, words: string): Promise<void> {
  for (let tries = 0; !(await logged(container)).includes(words) && tries < 800; tries++) await sleep(25)
  assert.match(await logged(container), words)
}

/** What its log has when nothing has come for a while. */
async function settledLog(container: Container): Promise<string> {
  let before = await logged(container)
  for (let [quiet, tries] = [0, 0]; quiet < 5 && tries < 400; tries++) {
    await sleep(50)
    const now = await logged(container)
    quiet = now === before ? quiet + 1 : 0
    before = now
  }
  return before
}

native('a defined container is started, stopped and started again by whoever finds it, and keeps its files', async () => {
  const container = await define({
    script: 'trap "exit 7" TERM; cat /note 2>/dev/null; echo "run" >> /note; echo ready; while :; do sleep 0.05; done',
  })
  assert.is(container.status, 'created')
  await found(container, (other) => other.start())
  assert.is(container.status, 'running')
  await says(container, 'ready')
  assert.is((await found(container, (other) => other.stop()))?.exitCode, 7)
  assert.equal([container.status, container.summary().exit?.exitCode], ['exited', 7])
  await container.start()
  await says(container, 'run\nready')
  assert.is((await container.stop({ signal: 'SIGKILL' }))?.exitCode, 137)
  assert.is(await logged(container), 'ready\nrun\nready\n')
  await container.remove()
  assert.equal(wolffia.containers(), [])
})

native('starting what runs changes nothing, and of two starts at once one starts it', async () => {
  const container = await define({ script: 'echo begun; sleep 1000' })
  await Promise.all([1, 2, 3].map(() => found(container, (other) => other.start())))
  await says(container, 'begun')
  await container.start()
  assert.is(await logged(container), 'begun\n')
  await container.remove({ force: true })
  await assertRejects(container.start(), 'CONTAINER_NOT_FOUND')
})

native('who attaches with the start misses nothing, and who comes later has what comes then', async () => {
  const container = await define({ script: 'echo first; read word; echo "got $word"; exit 3', openStdin: true, keepStdin: true })
  const first = await container.start({ attach: true })
  const heard = text(first?.stdout as NodeJS.ReadableStream)
  first?.stderr?.resume()
  await says(container, 'first')
  const later = await found(container, (other) => other.attach())
  const heardLater = text(later.stdout)
  later.stderr?.resume()
  later.stdin?.write('word\n')
  assert.is((await container.wait()).exitCode, 3)
  assert.equal([await heard, await heardLater], ['first\ngot word\n', 'got word\n'])
  await container.remove()
})

native('wait tells the last end, the next one, and the end of one that is removed', async () => {
  const container = await define({ script: 'trap "exit 4" TERM; echo ready; while :; do sleep 0.05; done' })
  await container.start()
  await says(container, 'ready')
  await container.kill('SIGTERM')
  assert.is((await container.wait()).exitCode, 4)
  assert.is((await found(container, (other) => other.wait())).exitCode, 4)
  await using engine = await Engine.open({ home: wolffia.home })
  const other = await engine.containers.get(container.id)
  const next = other.wait({ condition: 'next-exit' })
  await container.start()
  await says(container, 'ready\nready')
  await container.kill('SIGTERM')
  assert.is((await next).exitCode, 4)
  const removed = other.wait({ condition: 'removed' })
  await container.remove()
  assert.is((await removed).exitCode, 4)
})

native('what is to be removed at its end is, though nobody waits for it', async () => {
  const container = await define({ script: 'sleep 0.1', autoRemove: true })
  await container.start()
  for (let tries = 0; existsSync(join(wolffia.home, 'containers', container.id)) && tries < 1200; tries++) await sleep(25)
  assert.equal(wolffia.containers(), [])
})

/** Holds the container's lock until the returned function is called, which says when everything that waited for it has had its turn. */
function held({ id }: Container): () => void {
  const release = deferred<void>()
  void new ContainerState(wolffia.home).exclusively(id, () => release.promise)
  return release.resolve
}

native('a removal by force that a start comes before ends what was started, and leaves no guest without a record', async () => {
  const container = await define({ script: 'sleep 1000' })
  const release = held(container)
  const starting = container.start()
  const removing = container.remove({ force: true })
  release()
  await starting
  const { pid } = container.summary()
  assert.ok(pid)
  await removing
  assert.not.ok(existsSync(`/proc/${pid}`))
  assert.equal(wolffia.containers(), [])
  for (let tries = 0; wolffia.processes().length > 0 && tries < 1200; tries++) await sleep(25)
  assert.equal(wolffia.processes(), [])
})

native('a removal by force ends what its restart policy starts again at this moment', async () => {
  const script = '[ -e /ran ] && exec sleep 1000; touch /ran'
  const container = await define({ script, restart: { name: 'always', maximumRetryCount: 0 } })
  await container.start()
  for (let tries = 0; container.status !== 'restarting' && tries < 400; tries++) await sleep(5)
  const release = held(container)
  // By now the command that starts it again waits for the lock.
  await sleep(400)
  const removing = container.remove({ force: true })
  release()
  await removing
  assert.equal(wolffia.containers(), [])
  for (let tries = 0; wolffia.processes().length > 0 && tries < 1200; tries++) await sleep(25)
  assert.equal(wolffia.processes(), [])
})

native('a restart policy starts it again as often as it says, and not once somebody stopped it', async () => {
  const failing = await define({ script: 'echo run; exit 3', restart: { name: 'on-failure', maximumRetryCount: 2 } })
  await failing.start()
  for (let tries = 0; failing.summary().restartCount < 2 && tries < 1200; tries++) await sleep(25)
  await failing.wait()
  assert.is(await logged(failing), 'run\nrun\nrun\n')
  await failing.remove()
  const always = await define({ script: 'echo run; sleep 0.1', restart: { name: 'always', maximumRetryCount: 0 } })
  await always.start()
  for (let tries = 0; always.summary().restartCount < 2 && tries < 1200; tries++) await sleep(25)
  await always.stop()
  const { restartCount } = always.summary()
  await sleep(600)
  assert.equal([always.status, always.summary().restartCount], ['exited', restartCount])
  await always.update({ restart: { name: 'no', maximumRetryCount: 0 } })
  await always.start()
  await always.wait()
  await sleep(400)
  assert.is(always.status, 'exited')
  await always.remove()
})

native('a health check says starting, healthy, unhealthy, and its last results', async () => {
  const health = {
    test: ['sh', '-c', 'echo checked; test -e /well'],
    intervalMs: 100,
    timeoutMs: 30_000,
    startPeriodMs: 60_000,
    retries: 2,
  }
  const script = 'trap "touch /well" USR1; trap "rm /well" USR2; echo ready; while :; do sleep 0.05; done'
  const container = await define({ script, health })
  await container.start()
  await says(container, 'ready')
  assert.is(container.summary().health, 'starting')
  const becomes = async (status: string) => {
    for (let tries = 0; container.summary().health !== status && tries < 1200; tries++) await sleep(25)
    assert.is(container.summary().health, status)
  }
  await container.kill('SIGUSR1')
  await becomes('healthy')
  await container.kill('SIGUSR2')
  await becomes('unhealthy')
  assert.is(container.health()?.log.at(-1)?.output, 'checked\n')
  await container.remove({ force: true })
})

native('a paused container takes no program and no part, and goes on where it was', async () => {
  const container = await define({ script: 'i=0; while :; do echo $i; i=$((i+1)); sleep 0.02; done' })
  await assertRejects(container.pause(), 'CONFLICT', /not running/)
  await container.start()
  await sleep(100)
  await container.pause()
  assert.is(container.status, 'paused')
  await assertRejects(container.pause(), 'CONFLICT', /already paused/)
  await assertRejects(container.exec({ command: ['true'] }), 'CONFLICT', /paused/)
  await assertRejects(container.attach(), 'CONFLICT', /paused/)
  await assertRejects(container.start(), 'CONFLICT', /paused/)
  const before = (await settledLog(container)).length
  await sleep(150)
  assert.is((await logged(container)).length, before)
  await found(container, (other) => other.unpause())
  for (let tries = 0; (await logged(container)).length === before && tries < 1200; tries++) await sleep(25)
  assert.ok((await logged(container)).length > before)
  await assertRejects(container.unpause(), 'CONFLICT', /not paused/)
  await container.pause()
  assert.is((await container.stop({ timeoutMs: 30_000 }))?.exitCode, 143)
  await container.remove()
})

native('one more program runs in it, with a user, a folder and variables of its own', async () => {
  const container = await define({ script: 'sleep 1000', env: { FROM: 'container' } })
  await container.start()
  const said = async (options: Parameters<Container['exec']>[0]) => {
    await using exec = await found(container, (other) => other.exec(options))
    await exec.prepare()
    const output = text(exec.stdout as NodeJS.ReadableStream)
    await exec.start()
    const { exitCode } = await exec.wait()
    return [exitCode, await output]
  }
  assert.equal(await said({ command: ['sh', '-c', 'echo $FROM $OWN; pwd; exit 6'], env: { OWN: 'exec' }, workingDir: '/bin' }), [
    6,
    'container exec\n/bin\n',
  ])
  assert.equal(await said({ command: ['sh', '-c', 'id -u; echo $HOME'], user: 'web' }), [0, '33\n/srv\n'])
  await said({ command: ['sh', '-c', 'echo new:x:44:55::/new:/bin/sh >> /etc/passwd; echo crew:x:66:new >> /etc/group'] })
  assert.equal(await said({ command: ['sh', '-c', 'busybox id; echo $HOME'], user: 'new' }), [
    0,
    'uid=44(new) gid=55 groups=66(crew)\n/new\n',
  ])
  await assertRejects(container.exec({ command: ['true'], user: 'nobody-knows' }), 'INVALID_ARGUMENT', /nobody-knows/)
  await assertRejects(container.exec({ command: ['true'], workingDir: 'relative' }), 'INVALID_ARGUMENT')
  await container.remove({ force: true })
  await assertRejects(container.exec({ command: ['true'] }), 'CONFLICT', /not running/)
})

native('a name goes to one container at a time, and a renamed one is found by its new name only', async () => {
  const [one, two] = [await define({ script: 'true', name: 'first-name' }), await define({ script: 'true', name: 'other-name' })]
  await assertRejects(one.rename('other-name'), 'CONFLICT', /already in use/)
  await assertRejects(one.rename('not/a/name'), 'INVALID_ARGUMENT')
  await one.rename('new-name')
  await using engine = await Engine.open({ home: wolffia.home })
  assert.is((await engine.containers.get('new-name')).id, one.id)
  await assertRejects(engine.containers.get('first-name'), 'CONTAINER_NOT_FOUND')
  await two.rename('first-name')
  for (const container of [one, two]) await container.remove()
})

native('a container of this process’s own can be let go, and is then anybody’s', async () => {
  await wolffia.busybox()
  await using engine = await Engine.open({ home: wolffia.home })
  const own = await engine.containers.create({
    image: 'busybox',
    command: ['sh', '-c', 'trap "exit 8" TERM; echo ready; while :; do sleep 0.05; done'],
    log: JSON_FILE,
  })
  own.stdout.resume()
  await own.start()
  await own.detach()
  await engine[Symbol.asyncDispose]()
  await says(own, 'ready')
  assert.is((await found(own, (other) => other.stop()))?.exitCode, 8)
  await found(own, (other) => other.remove())
})

native('what the process that started it is killed for does not reach it', async () => {
  await wolffia.busybox()
  const { stdout } = await wolffia.run(['run', '-d', '--name', 'alone', 'busybox', 'sh', '-c', 'while :; do sleep 0.1; done'])
  const id = stdout.trim()
  const records = readFileSync(join(wolffia.home, 'containers', id, 'container.json'), 'utf8')
  assert.is(JSON.parse(records).status, 'running')
  assert.is(await found({ id }, async (container) => container.status), 'running')
  // The launcher that holds it is killed: its guest ends with it, and nobody has written how.
  const [pid] = String(JSON.parse(records).owner).split('-')
  process.kill(Number(pid), 'SIGKILL')
  assert.is((await found({ id }, (container) => container.wait())).exitCode, 137)
  await found({ id }, (container) => container.start())
  await found({ id }, (container) => container.remove({ force: true }))
})

native('the journal knows what happened, ends that nobody saw among it', async () => {
  const container = await define({ script: 'exit 5', name: 'in-journal', labels: { kind: 'test' } })
  await container.start()
  await container.wait()
  await container.remove()
  const events = readFileSync(join(wolffia.home, 'events.log'), 'utf8')
    .split('\n')
    .map(parseJournalLine)
    .filter((event) => event?.id === container.id)
  assert.equal(
    events.map((event) => event?.action),
    ['create', 'start', 'die', 'destroy'],
  )
  const die = events[2]
  assert.equal([die?.attributes.exitCode, die?.attributes.name, die?.attributes.kind], ['5', 'in-journal', 'test'])
})

native('a Wasm container has the same life: started, logged, paused, stopped, started again with its files', async () => {
  await wolffia.output('import', resolve('dist/wasm/probe.wasm'), 'probe')
  const container = await define({ image: 'probe', command: ['write', '/note', 'kept', ',', 'print', 'done'] })
  await container.start()
  assert.is((await container.wait()).exitCode, 0)
  assert.is(await logged(container), 'done\n')
  const looping = await define({ image: 'probe', command: ['print', 'begun', ',', 'loop'] })
  await looping.start()
  for (let tries = 0; (await logged(looping)) === '' && tries < 1200; tries++) await sleep(25)
  await looping.pause()
  assert.is(looping.status, 'paused')
  await looping.unpause()
  assert.is((await looping.stop())?.exitCode, 143)
  for (const each of [container, looping]) await each.remove()
})

native('one more program runs in a Wasm container, with a user, a folder and variables of its own', async () => {
  await wolffia.output('import', resolve('dist/wasm/probe.wasm'), 'probe')
  const container = await define({
    image: 'probe',
    command: ['mkdir', '/etc', ',', 'write', '/etc/passwd', 'new:x:44:55::/new:/none', ',', 'sleep', '1000000'],
  })
  await container.start()
  const said = async (options: Parameters<Container['exec']>[0]) => {
    await using exec = await found(container, (other) => other.exec(options))
    await exec.prepare()
    const output = text(exec.stdout as NodeJS.ReadableStream)
    await exec.start()
    const { exitCode } = await exec.wait()
    return [exitCode, await output]
  }
  const program = container.spec.process.args[0] ?? ''
  while ((await said({ command: [program, 'cat', '/etc/passwd'] }))[1] !== 'new:x:44:55::/new:/none') await sleep(20)
  assert.equal(await said({ command: [program, 'print', 'x', ',', 'exit', '6'] }), [6, 'x\n'])
  const [, env] = await said({ command: [program, 'env'], env: { OWN: 'exec' }, user: 'new' })
  assert.match(String(env), /^OWN=exec$/m)
  assert.match(String(env), /^HOME=\/new$/m)
  const written = await said({ command: [program, 'write', '/note', 'x'], user: '44' })
  assert.equal(written, [0, '/note: EACCES\n'])
  await assertRejects(container.exec({ command: [program], user: 'nobody-knows' }), 'INVALID_ARGUMENT', /nobody-knows/)
  await container.remove({ force: true })
})

native('the health of a Wasm container is checked', async () => {
  await wolffia.output('import', resolve('dist/wasm/probe.wasm'), 'probe')
  const container = await define({
    image: 'probe',
    command: ['sleep', '1000000'],
    health: { test: ['/probe.wasm', 'print', 'well'], intervalMs: 200, timeoutMs: 5000, startPeriodMs: 0, retries: 1 },
  })
  await container.start()
  for (let tries = 0; container.health()?.status !== 'healthy' && tries < 1200; tries++) await sleep(25)
  assert.equal([container.health()?.status, container.health()?.log[0]?.output], ['healthy', 'well\n'])
  await container.remove({ force: true })
})

native('locks of containers that are gone are gone', () => {
  const locks = readdirSync(join(wolffia.home, 'locks')).filter((name) => name.startsWith('container-'))
  assert.equal(locks, [])
})

test('nothing is left', () => wolffia.end())

test.run()
