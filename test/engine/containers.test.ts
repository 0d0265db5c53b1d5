import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import * as assert from 'uvu/assert'
import type { Container } from '../../src/container/container.js'
import { FoundContainer } from '../../src/container/found-container.js'
import { Journal } from '../../src/container/journal.js'
import type { CreateOptions } from '../../src/container/options.js'
import { RECORD_VERSION } from '../../src/container/record.js'
import { ContainerState } from '../../src/container/state.js'
import { Engine } from '../../src/engine/engine.js'
import { Images } from '../../src/engine/images.js'
import { EngineError } from '../../src/errors.js'
import { deferred } from '../../src/launcher/deferred.js'
import { packTar } from '../../src/layer/pack.js'
import { bytesSource } from '../../src/layer/source.js'
import { Store } from '../../src/store/store.js'
import { deadIdentity } from '../support/dead-identity.js'
import { type FakeProgram, FakeRuntime, KEPT_FILE } from '../support/fake-runtime.js'
import { assertRejects, withFolder, writeFiles } from '../support/image-fixtures.js'
import { eventually } from '../support/launcher-box.js'
import { suite } from '../support/suite.js'

const test = suite('engine/containers')

const PROGRAMS: Readonly<Record<string, FakeProgram>> = {
  '/hello': ({ stdout }) => {
    stdout.write('hello\n')
    return 0
  },
  '/echo': async ({ stdin, stdout }) => {
    stdout.write(await text(stdin))
    return 7
  },
  '/env': ({ env, stdout }) => {
    stdout.write(env.join('\n'))
    return 0
  },
  '/forever': () => new Promise<number>(() => {}),
  '/polite': async ({ nextSignal }) => ((await nextSignal()) === 'SIGTERM' ? 3 : 4),
  '/stubborn': async ({ nextSignal }) => {
    for (;;) await nextSignal()
  },
}

interface Bench {
  readonly home: string
  readonly engine: Engine
  readonly wall: FakeRuntime
  create(options: Partial<CreateOptions> & { readonly run?: string }): ReturnType<Engine['containers']['create']>
}

/** An engine over a wall of cardboard, with one image that holds the programs. */
function withEngine(body: (bench: Bench) => Promise<void>): Promise<void> {
  return withFolder(async (folder) => {
    const home = join(folder, 'home')
    const files = Object.fromEntries(
      [...Object.keys(PROGRAMS), '/unknown', 'broken-wall'].map((name) => [name.replace('/', ''), '\x7fELF']),
    )
    await writeFiles(folder, { 'root.tar': rootTar(files) })
    const wall = new FakeRuntime('native', PROGRAMS)
    const engine = await Engine.open({ home, runtimes: [wall] })
    await engine.images.import(join(folder, 'root.tar'), { reference: 'some' })
    const create = ({ run = '/hello', ...options }: Partial<CreateOptions> & { readonly run?: string }) =>
      engine.containers.create({ image: 'some', command: [run], ...options })
    try {
      await body({ home, engine, wall, create })
    } finally {
      await engine[Symbol.asyncDispose]()
    }
  })
}

/** A root file system of programs. */
function rootTar(files: Readonly<Record<string, string>>): Uint8Array {
  const file = { type: 'file', mode: 0o755, uid: 0, gid: 0, mtimeNs: 0n } as const
  return Buffer.concat([
    ...packTar(Object.entries(files).map(([path, text]) => ({ ...file, path, contents: bytesSource(Buffer.from(text)) }))),
  ])
}

function outputOf({ stdout }: Container): Promise<string> {
  assert.ok(stdout)
  return text(stdout as Readable)
}

/** Containers' folders of a home, without that of the names. */
function foldersIn(home: string): readonly string[] {
  const folder = join(home, 'containers')
  return existsSync(folder) ? readdirSync(folder).filter((name) => name !== 'names') : []
}

test('create, attach, start, wait: no byte of output is lost and the end is recorded', () =>
  withEngine(async ({ engine, create }) => {
    const container = await create({})
    assert.is(container.status, 'created')
    const output = outputOf(container)
    await container.start()
    const status = await container.wait()
    assert.equal([status.exitCode, status.reason, await output, container.status], [0, 'exited', 'hello\n', 'exited'])
    assert.is((await container.wait()).exitCode, 0, 'wait may be asked again')
    const [summary] = await engine.containers.list({ all: true })
    assert.equal([summary?.status, summary?.exit?.exitCode, summary?.command], ['exited', 0, ['/hello']])
    assert.equal(await engine.containers.list(), [])
  }))

test('a wall that begins again finds the container written down, and not its name taken', () =>
  withEngine(async ({ home, engine, wall, create }) => {
    wall.restarts = 1
    const container = await create({ name: 'again' })
    assert.equal([container.name, (await engine.containers.get('again')).id], ['again', container.id])
    assert.equal(foldersIn(home), [container.id])
    await container.remove({ force: true })
    assert.equal(foldersIn(home), [])
  }))

test('wait may be asked for before start', () =>
  withEngine(async ({ create }) => {
    const container = await create({ run: '/echo', openStdin: true })
    const ended = container.wait()
    await container.start()
    container.stdin?.end('in')
    assert.is((await ended).exitCode, 7)
  }))

test('a container made to be removed leaves nothing, and wait still has its exit code', () =>
  withEngine(async ({ home, wall, create }) => {
    const container = await create({ run: '/echo', openStdin: true, autoRemove: true })
    assert.is(foldersIn(home).length, 1)
    await container.start()
    container.stdin?.end()
    assert.is((await container.wait()).exitCode, 7)
    assert.equal(foldersIn(home), [])
    assert.equal(readdirSync(join(home, 'containers', 'names')), [])
    assert.ok(wall.discarded.includes(container.id))
    assert.is((await container.wait()).exitCode, 7)
  }))

test('a program that does not exist is found out before anything is made', () =>
  withEngine(async ({ home, create }) => {
    await assertRejects(create({ run: '/nosuch' }), 'COMMAND_NOT_FOUND')
    assert.equal(foldersIn(home), [])
  }))

test('a program that cannot be started ends its container with the code docker has', () =>
  withEngine(async ({ home, create }) => {
    const container = await create({ run: '/unknown' })
    await assertRejects(container.start(), 'COMMAND_NOT_FOUND')
    assert.equal([container.status, container.summary().exit?.exitCode], ['exited', 127])
    const gone = await create({ run: '/unknown', autoRemove: true })
    await assertRejects(gone.start(), 'COMMAND_NOT_FOUND')
    assert.equal(foldersIn(home), [container.id])
  }))

test('a start that cannot be written down ends the container, and nobody waits for ever', () =>
  withEngine(async ({ home, wall, create }) => {
    const container = await create({ run: '/forever' })
    // In the place of the record's next version.
    mkdirSync(join(home, 'containers', container.id, `container.json.${process.pid}.new`))
    const refused = await container.start().catch((error: NodeJS.ErrnoException) => error.code)
    assert.is(refused, 'EISDIR')
    assert.is(await container.wait().catch((error: NodeJS.ErrnoException) => error.code), 'EISDIR')
    assert.equal([container.status, wall.live.size], ['exited', 0])
    await container.remove()
    assert.equal(foldersIn(home), [])
  }))

test('a wall that fails leaves nothing behind, and the name is free again', () =>
  withEngine(async ({ home, create }) => {
    await assertRejects(create({ run: 'broken-wall', name: 'taken', env: { PATH: '/' } }), 'LAUNCHER_FAILED')
    assert.equal(foldersIn(home), [])
    await create({ name: 'taken' })
  }))

test('a failure is the error that is thrown, and what cannot be taken back after it is its cause', () =>
  withEngine(async ({ wall, create }) => {
    wall.undiscardable = () => new Error('stuck')
    const error = await assertRejects(create({ run: 'broken-wall', env: { PATH: '/' } }), 'LAUNCHER_FAILED')
    assert.match((error.cause as Error).message, /could not be taken back: stuck/)
  }))

test('a requirement that does not hold stops the container before its first instruction', () =>
  withEngine(async ({ home, wall, create }) => {
    await assertRejects(create({ require: ['seccomp'] }), 'REQUIREMENT_NOT_MET', /seccomp/)
    await assertRejects(create({ require: ['secomp'] }), 'INVALID_ARGUMENT', /secomp/)
    assert.equal(foldersIn(home), [])
    assert.is(wall.live.size, 0)
    await create({ require: ['native'] })
  }))

test('an abort during create takes back what was done', () =>
  withEngine(async ({ home, create }) => {
    await assertRejects(create({ signal: AbortSignal.abort() }), 'ABORTED')
    assert.equal(foldersIn(home), [])
  }))

test('an abort after create is not heard', () =>
  withEngine(async ({ create }) => {
    const abort = new AbortController()
    const container = await create({ run: '/polite', signal: abort.signal })
    await container.start()
    abort.abort()
    await container.kill('SIGTERM')
    assert.is((await container.wait()).exitCode, 3)
  }))

test('kill and stop end it, and a signal to what does not run is a conflict', () =>
  withEngine(async ({ create }) => {
    const killed = await create({ run: '/forever' })
    await assertRejects(killed.kill(), 'CONFLICT')
    await killed.start()
    await killed.kill()
    assert.equal([(await killed.wait()).exitCode, (await killed.wait()).signal], [137, 'SIGKILL'])
    await assertRejects(killed.kill(), 'CONFLICT')
    const polite = await create({ run: '/polite' })
    await polite.start()
    assert.is((await polite.stop())?.exitCode, 3)
    const stubborn = await create({ run: '/stubborn' })
    await stubborn.start()
    assert.is((await stubborn.stop({ timeoutMs: 20 }))?.exitCode, 137)
  }))

test('a container whose wall is killed has ended by SIGKILL, says why, and is cleaned up', () =>
  withEngine(async ({ home, wall, create }) => {
    const lost = new EngineError('LAUNCHER_FAILED', 'the launcher ended without a word')
    const kept = await create({ run: '/forever' })
    const gone = await create({ run: '/forever', autoRemove: true })
    const before = kept.wait()
    for (const container of [kept, gone]) await container.start()
    for (const task of [...wall.live]) task.lose(lost)
    for (const ended of [before, kept.wait(), gone.wait()]) {
      const { exitCode, signal, reason, detail } = await ended
      assert.equal([exitCode, signal, reason, detail], [137, 'SIGKILL', 'signaled', lost.message])
    }
    assert.equal([kept.status, kept.summary().exit?.exitCode, wall.live.size], ['exited', 137, 0])
    assert.equal(foldersIn(home), [kept.id])
    await kept.remove()
  }))

test('a container that cannot be removed at its end says so, has ended for everybody, and can be removed later', () =>
  withEngine(async ({ home, wall, engine, create }) => {
    const container = await create({ autoRemove: true })
    wall.undiscardable = () => new Error('stuck')
    await container.start()
    assert.match(String(await container.wait().catch((error: Error) => error)), /stuck/)
    assert.equal(
      (await engine.containers.list({ all: true })).map(({ status }) => status),
      ['exited'],
    )
    wall.undiscardable = null
    await container.remove()
    assert.equal(foldersIn(home), [])
  }))

test('stop leaves no timer behind, however the guest ends', () =>
  withEngine(async ({ wall, create }) => {
    const timers = () => process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length
    const container = await create({ run: '/stubborn' })
    await container.start()
    const before = timers()
    const stopping = container.stop({ timeoutMs: 30_000 }).catch(() => {})
    await new Promise(setImmediate)
    for (const task of wall.live) task.lose(new Error('the wall was killed'))
    await stopping
    assert.is(timers(), before)
  }))

test('waiting can be given up while the container goes on', () =>
  withEngine(async ({ create }) => {
    const container = await create({ run: '/forever' })
    await container.start()
    await assertRejects(container.wait({ signal: AbortSignal.timeout(10) }), 'ABORTED')
    assert.is(container.status, 'running')
  }))

test('a container runs once', () =>
  withEngine(async ({ create }) => {
    const container = await create({})
    await container.start()
    await assertRejects(container.start(), 'CONFLICT')
    await container.wait()
    await assertRejects(container.start(), 'CONFLICT')
  }))

test('a running container is removed by force only', () =>
  withEngine(async ({ home, create }) => {
    const container = await create({ run: '/forever' })
    await container.start()
    await assertRejects(container.remove(), 'CONFLICT')
    await container.remove({ force: true })
    await container.remove()
    assert.equal(foldersIn(home), [])
  }))

test('another engine sees, waits for, kills and removes what this one runs', () =>
  withEngine(async ({ home, wall, create }) => {
    const container = await create({ run: '/forever', name: 'seen' })
    await container.start()
    await using other = await Engine.open({ home, runtimes: [wall] })
    const [listed] = await other.containers.list()
    assert.equal([listed?.name, listed?.status, listed?.pid], ['seen', 'running', process.pid])
    const found = await other.containers.get(container.id.slice(0, 8))
    assert.is(found.stdout, null)
    assert.is(await found.start(), null, 'it runs already')
    await assertRejects(found.remove(), 'CONFLICT')
    assert.is((await found.receipt()).container, container.id)
    const ended = found.wait()
    await found.kill()
    assert.is((await ended).exitCode, 137)
    await container.wait()
    await found.remove()
    assert.equal(foldersIn(home), [])
  }))

test('a name that is not there is answered with what is near', () =>
  withEngine(async ({ engine, create }) => {
    await create({ name: 'placid_arber' })
    const error = await assertRejects(engine.containers.get('placid_arbor'), 'CONTAINER_NOT_FOUND')
    assert.match(error.hint ?? '', /placid_arber/)
    const image = await assertRejects(engine.containers.create({ image: 'sone' }), 'IMAGE_NOT_FOUND')
    assert.match(image.hint ?? '', /some/)
  }))

test('disposing kills what runs, removes what was to be removed and keeps the rest', () =>
  withEngine(async ({ home, wall }) => {
    const engine = await Engine.open({ home, runtimes: [wall] })
    const kept = await engine.containers.create({ image: 'some', command: ['/forever'] })
    const gone = await engine.containers.create({ image: 'some', command: ['/forever'], autoRemove: true })
    const unstarted = await engine.containers.create({ image: 'some', command: ['/hello'], autoRemove: true })
    await kept.start()
    await gone.start()
    await engine[Symbol.asyncDispose]()
    assert.is(wall.live.size, 0)
    assert.equal(foldersIn(home), [kept.id])
    assert.equal([kept.status, gone.status, unstarted.status], ['exited', 'exited', 'created'])
    assert.not.ok(existsSync(join(home, 'containers', gone.id, KEPT_FILE)))
  }))

test('disposing gives up what is being created, and creates no more', () =>
  withEngine(async ({ home, wall }) => {
    const engine = await Engine.open({ home, runtimes: [wall] })
    const creating = engine.containers.create({ image: 'some', command: ['/hello'] })
    const refused = assertRejects(creating, 'ABORTED')
    await engine[Symbol.asyncDispose]()
    assert.equal([wall.live.size, foldersIn(home)], [0, []])
    await refused
    await assertRejects(engine.containers.create({ image: 'some', command: ['/hello'] }), 'ABORTED')
  }))

test('disposing gives every container its turn, and then says what failed', () =>
  withEngine(async ({ home, wall }) => {
    const engine = await Engine.open({ home, runtimes: [wall] })
    const [stuck, ...others] = await Promise.all(
      [1, 2, 3].map(() => engine.containers.create({ image: 'some', command: ['/forever'], autoRemove: true })),
    )
    for (const container of others) await container.start()
    wall.undiscardable = (id) => (id === stuck?.id ? new Error('stuck') : null)
    assert.match(String(await engine[Symbol.asyncDispose]().catch((error: Error) => error)), /stuck/)
    assert.equal(foldersIn(home), [stuck?.id])
    wall.undiscardable = null
    await engine[Symbol.asyncDispose]()
    assert.equal(foldersIn(home), [])
  }))

test('an engine holds on to no container that has ended', () =>
  withEngine(async ({ engine, create }) => {
    const [ended, removed, running] = [await create({}), await create({}), await create({ run: '/forever' })]
    assert.is(await engine.containers.get(ended.id), ended)
    await ended.start()
    await ended.wait()
    await removed.remove()
    assert.is(await engine.containers.get(running.id), running)
    const found = await engine.containers.get(ended.id)
    assert.is.not(found, ended)
    assert.equal([found.status, (await found.wait()).exitCode], ['exited', 0])
    await found.remove()
  }))

test('an image in use is not removed, and goes when its last container has gone', () =>
  withEngine(async ({ engine, create }) => {
    const container = await create({})
    await assertRejects(engine.images.remove('some'), 'CONFLICT', new RegExp(container.name))
    await container.start()
    await container.wait()
    await container.remove()
    const { untagged, deleted } = await engine.images.remove('some')
    assert.equal([untagged, deleted.length], [['some:latest'], 1])
    assert.equal(await engine.images.list(), [])
  }))

test('a container whose record is damaged is shown as dead, keeps its name, and can be removed and nothing else', () =>
  withEngine(async ({ home, wall, engine, create }) => {
    for (const damage of [
      (text: string) => text.slice(0, 100),
      () => '{"version":1}',
      (text: string) => text.replace('"spec"', '"other"'),
    ]) {
      const container = await create({ name: 'lost' })
      await container.start()
      await container.wait()
      const path = join(home, 'containers', container.id, 'container.json')
      writeFileSync(path, damage(readFileSync(path, 'utf8')))
      const listed = await engine.containers.list({ all: true })
      assert.equal(
        listed.map(({ id, name, status, image }) => [id, name, status, image]),
        [[container.id, 'lost', 'dead', null]],
      )
      assert.equal(await engine.containers.list(), [])
      await assertRejects(create({ name: 'lost' }), 'CONFLICT', /already in use/)
      const found = await engine.containers.get(container.id.slice(0, 12))
      const error = await assertRejects(found.start(), 'CONFLICT', /container lost is dead/)
      assert.match(error.hint ?? '', /wolffia rm lost/)
      assert.throws(() => found.spec, /is dead/)
      await found.remove()
      assert.equal(foldersIn(home), [])
      assert.ok(wall.discarded.includes(container.id))
    }
  }))

test('what runs for another version is dead to this one, and removed by force only', () =>
  withEngine(async ({ home, wall, create }) => {
    const container = await create({ run: '/forever', autoRemove: true })
    await container.start()
    const path = join(home, 'containers', container.id, 'container.json')
    writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), version: RECORD_VERSION + 1 }))
    await using other = await Engine.open({ home, runtimes: [wall] })
    const found = await other.containers.get(container.name)
    await assertRejects(found.remove(), 'CONFLICT', /is running, for another version/)
    await found.remove({ force: true })
    assert.equal([(await container.wait()).signal, foldersIn(home)], ['SIGKILL', []])
  }))

test('what a killed command left and cannot be removed keeps nobody from anything, and rm of it says why', () =>
  withEngine(async ({ home, wall, create }) => {
    const left = [await create({ name: 'stuck', autoRemove: true }), await create({ name: 'swept', autoRemove: true })]
    const rubbish = 'f'.repeat(64)
    const dead = await deadIdentity()
    for (const { id } of left) {
      const path = join(home, 'containers', id, 'container.json')
      writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), owner: dead, task: null }))
    }
    mkdirSync(join(home, 'containers', rubbish))
    wall.undiscardable = (id) => ([left[0]?.id, rubbish].includes(id) ? new Error('stuck fast') : null)
    await using other = await Engine.open({ home, runtimes: [wall] })
    assert.equal(
      (await other.containers.list({ all: true })).map(({ name }) => name),
      ['stuck'],
    )
    await (await other.containers.create({ image: 'some', command: ['/hello'] })).remove()
    const found = await other.containers.get('stuck')
    await assertRejects(found.remove(), 'CONFLICT', /container stuck cannot be removed: stuck fast/)
    wall.undiscardable = null
    await found.remove()
    assert.equal(foldersIn(home), [rubbish])
  }))

test('of a removal and a create of one image at the same moment, the container has its layers or is refused', () =>
  withEngine(async ({ home, engine, wall, create }) => {
    const store = await Store.open({ root: home })
    const { diffIds } = await engine.images.inspect('some')
    const [looked, told] = [deferred<void>(), deferred<void>()]
    // Asked when the layers have been looked after and there is no record yet.
    wall.unavailable = async () => {
      looked.resolve()
      await told.promise
      return null
    }
    const creating = create({ runtime: 'native' }).then(
      () => null,
      (error: EngineError) => error.code,
    )
    await looked.promise
    const lock = join(home, 'locks/containers')
    const waits = () => existsSync(lock) && readdirSync(lock).length > 1
    /** Lets the container be made as far as it gets when the removal has just been told that no layer is used. */
    class Watched extends ContainerState {
      #asked = 0
      override async list() {
        const records = await super.list()
        if (++this.#asked === 2) {
          told.resolve()
          await eventually('the container is made, or waits', () => wall.requests.length > 0 || waits())
        }
        return records
      }
    }
    await new Images(store, new Watched(home), { journal: new Journal(home), workshop: () => engine.containers.workshop() }).remove('some')
    const refused = await creating
    const layers = await Promise.all(diffIds.map((diffId) => store.layers.find(diffId)))
    assert.ok(refused === 'INVALID_IMAGE' || !layers.includes(null), `${refused}, layers ${JSON.stringify(layers)}`)
    assert.is(foldersIn(home).length, refused === null ? 1 : 0)
  }))

/** A container whose guest is gone and whose end nobody has dealt with yet. */
async function ended({ home, engine }: Bench, options: Partial<CreateOptions>): Promise<Container> {
  const { id } = await engine.containers.define({ image: 'some', command: ['/forever'], ...options })
  const path = join(home, 'containers', id, 'container.json')
  const record = { ...JSON.parse(readFileSync(path, 'utf8')), status: 'running', outlives: true, startedAt: new Date().toISOString() }
  writeFileSync(path, JSON.stringify(record))
  return engine.containers.get(id)
}

test('of a start by hand and one by the restart policy at the same moment one starts it', () =>
  withEngine(async (bench) => {
    const container = await ended(bench, { restart: { name: 'always', maximumRetryCount: 0 } })
    assert.instance(container, FoundContainer)
    // Its end is written down, then comes who starts it, then what the policy wants.
    await Promise.all([(container as FoundContainer).afterEnd(), container.start()])
    assert.equal([bench.wall.live.size, container.status, container.summary().restartCount], [1, 'running', 0])
  }))

test('a container that is stopped between its end and its restart is not started again', () =>
  withEngine(async (bench) => {
    const container = await ended(bench, { restart: { name: 'always', maximumRetryCount: 0 } })
    assert.is((await container.stop())?.exitCode, 137)
    await bench.engine.containers.afterEnd(container.id)
    assert.equal([bench.wall.live.size, container.status], [0, 'exited'])
    const other = await ended(bench, { restart: { name: 'always', maximumRetryCount: 0 } })
    await Promise.all([(other as FoundContainer).afterEnd(), other.stop()])
    assert.equal([bench.wall.live.size, other.status], [0, 'exited'])
  }))

test('a container that is to be removed at its end waits for its start, whatever other commands sweep away', () =>
  withEngine(async ({ home, engine, wall }) => {
    const { id } = await engine.containers.define({ image: 'some', command: ['/forever'], autoRemove: true })
    await using other = await Engine.open({ home, runtimes: [wall] })
    assert.is((await other.containers.get(id)).status, 'created')
    assert.equal(foldersIn(home), [id])
  }))

test("the Wasm wall's guest gets a bare world and its program by its path", () =>
  withFolder(async (folder) => {
    const wall = new FakeRuntime('wasm', { '/bin/tool': PROGRAMS['/env'] ?? (() => 1) })
    await using engine = await Engine.open({ home: join(folder, 'home'), runtimes: [wall] })
    await writeFiles(folder, { 'root.tar': rootTar({ 'bin/tool': '\0asm' }) })
    await engine.images.import(join(folder, 'root.tar'), { reference: 'tool', process: { env: ['A=1'] } })
    const container = await engine.containers.create({ image: 'tool', command: ['tool', 'x'], env: { B: '2' } })
    assert.equal(
      [container.spec.process.args, container.spec.process.env],
      [
        ['/bin/tool', 'x'],
        ['A=1', 'B=2'],
      ],
    )
    const output = outputOf(container)
    await container.start()
    await container.wait()
    assert.is(await output, 'A=1\nB=2')
  }))

test('auto passes over a wall that does not stand when the image is for another too, and says why when it is not', () =>
  withEngine(async ({ wall, create }) => {
    wall.unavailableReason = 'no user namespaces here'
    await assertRejects(create({}), 'RUNTIME_UNAVAILABLE', /no user namespaces here/)
  }))

test.run()
