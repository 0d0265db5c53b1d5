import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import type { CreateOptions } from '../../src/container/options.js'
import { Engine } from '../../src/engine/engine.js'
import { packTar } from '../../src/layer/pack.js'
import { deadIdentity } from '../support/dead-identity.js'
import { FakeRuntime } from '../support/fake-runtime.js'
import { assertRejects, withFolder, writeFiles } from '../support/image-fixtures.js'
import { packFile } from '../support/stored-layers.js'
import { suite } from '../support/suite.js'

const test = suite('engine/volumes')

interface Bench {
  readonly home: string
  readonly engine: Engine
  readonly wall: FakeRuntime
  create(options?: Partial<CreateOptions>): ReturnType<Engine['containers']['create']>
  names(): Promise<readonly string[]>
}

/** An engine over a wall of cardboard, with one image that wants a volume at /data. */
function withEngine(body: (bench: Bench) => Promise<void>): Promise<void> {
  return withFolder(async (folder) => {
    const files = ['hello', 'forever', 'broken-wall'].map((name) => packFile(name, '\x7fELF', { mode: 0o755 }))
    await writeFiles(folder, { 'root.tar': Buffer.concat([...packTar(files)]) })
    const wall = new FakeRuntime('native', { '/hello': () => 0, '/forever': () => new Promise<number>(() => {}) })
    const home = join(folder, 'home')
    await using engine = await Engine.open({ home, runtimes: [wall] })
    await engine.images.import(join(folder, 'root.tar'), { reference: 'some', changes: ['VOLUME /data'] })
    await body({
      home,
      engine,
      wall,
      create: (options = {}) => engine.containers.create({ image: 'some', command: ['/hello'], ...options }),
      names: async () => (await engine.volumes.list()).map(({ name }) => name),
    })
  })
}

test('volumes among the mounts of the library’s containers are made, mounted, and told of', () =>
  withEngine(async ({ engine, wall, create, home }) => {
    const mounts = [{ type: 'volume', name: 'cache', destination: '/cache/', readonly: true, labels: { a: '1' } }] as const
    const container = await create({ mounts, tmpfs: { '/data': '' } })
    assert.equal(
      wall.requests[0]?.spec.mounts.find(({ type }) => type === 'volume'),
      {
        type: 'volume',
        name: 'cache',
        source: join(home, 'volumes/cache/_data'),
        destination: '/cache',
        readonly: true,
        anonymous: false,
      },
    )
    assert.equal(
      (await engine.volumes.list()).map(({ name, containers, labels }) => [name, containers, labels]),
      [['cache', [container.id], { a: '1' }]],
    )
    await assertRejects(engine.volumes.remove('cache'), 'CONFLICT')
    await container.remove({ volumes: true })
    assert.equal((await engine.volumes.get('cache')).containers, [])
    await engine.volumes.remove('cache')
    await assertRejects(engine.volumes.get('cache'), 'VOLUME_NOT_FOUND')
  }))

test('anonymous volumes go with remove({ volumes }), with autoRemove and with a failure, and stay with remove()', () =>
  withEngine(async ({ engine, create, names }) => {
    const kept = await create()
    const [left] = await names()
    await kept.remove()
    assert.equal(await names(), [left])
    await engine.volumes.prune()
    await (await create()).remove({ volumes: true })
    assert.equal(await names(), [])
    const gone = await create({ autoRemove: true })
    await gone.start()
    await gone.wait()
    assert.equal(await names(), [])
    await assertRejects(create({ command: ['broken-wall'], env: { PATH: '/' } }), 'LAUNCHER_FAILED')
    await assertRejects(create({ require: ['seccomp'] }), 'REQUIREMENT_NOT_MET')
    await assertRejects(create({ hostname: '-' }), 'INVALID_ARGUMENT')
    assert.equal(await names(), [])
  }))

test('what another container has too stays', () =>
  withEngine(async ({ create, names }) => {
    const lender = await create({ name: 'lender' })
    const borrower = await create({ volumesFrom: ['lender'] })
    assert.equal((await names()).length, 1)
    await lender.remove({ volumes: true })
    assert.equal((await names()).length, 1)
    await borrower.remove({ volumes: true })
    assert.equal((await names()).length, 1, 'it was not made for the borrower')
  }))

test('anonymous volumes of a container whose command was killed go with it', () =>
  withEngine(async ({ home, create }) => {
    const { id } = await create({ autoRemove: true, command: ['/forever'] })
    const path = join(home, 'containers', id, 'container.json')
    writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), owner: await deadIdentity(), task: null }))
    await using other = await Engine.open({ home, runtimes: [new FakeRuntime('native', {})] })
    assert.equal(await other.volumes.list(), [])
  }))

test('a container whose record cannot be read keeps the volumes that it names', () =>
  withEngine(async ({ home, engine, create, names }) => {
    const { id } = await create({ mounts: [{ type: 'volume', name: 'cache', destination: '/cache', readonly: false }] })
    const path = join(home, 'containers', id, 'container.json')
    writeFileSync(path, readFileSync(path, 'utf8').replace(/"version":\d+/, '"version":99'))
    assert.equal(
      (await engine.containers.list({ all: true })).map(({ status }) => status),
      ['dead'],
    )
    await assertRejects(engine.volumes.remove('cache'), 'CONFLICT')
    await engine.volumes.prune({ all: true })
    assert.is((await names()).length, 2)
  }))

test('a volume that is removed while a container is made makes it fail, and nothing is left', () =>
  withEngine(async ({ engine, wall, create, names }) => {
    const open = wall.create.bind(wall)
    wall.create = async (request) => {
      await engine.volumes.remove('cache')
      return open(request)
    }
    const mounts = [{ type: 'volume', name: 'cache', destination: '/cache', readonly: false }] as const
    await assertRejects(create({ mounts }), 'CONFLICT')
    assert.equal([await names(), await engine.containers.list({ all: true })], [[], []])
  }))

test.run()
