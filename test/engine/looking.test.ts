/** What an engine tells of all that is there, over a wall of cardboard: events, counts, what takes how much, and what pruning leaves. */
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { Engine } from '../../src/engine/engine.js'
import { packTar } from '../../src/layer/pack.js'
import { bytesSource } from '../../src/layer/source.js'
import { FakeRuntime } from '../support/fake-runtime.js'
import { assertRejects, withFolder, writeFiles } from '../support/image-fixtures.js'
import { suite } from '../support/suite.js'

const test = suite('engine/looking')

interface Bench {
  readonly engine: Engine
  readonly wall: FakeRuntime
  /** Imports an image whose one file has so many bytes. */
  image(name: string | undefined, bytes: number): Promise<string>
  /** Makes a container, and lets it run to its end unless it is to be left as it is made. */
  container(
    name: string,
    options?: { readonly image?: string; readonly labels?: Readonly<Record<string, string>>; readonly run?: boolean },
  ): Promise<string>
}

function withEngine(body: (bench: Bench) => Promise<void>): Promise<void> {
  return withFolder(async (folder) => {
    const wall = new FakeRuntime('native', { '/hello': () => 0 })
    await using engine = await Engine.open({ home: join(folder, 'home'), runtimes: [wall] })
    let count = 0
    await body({
      engine,
      wall,
      image: async (reference, bytes) => {
        const path = `root-${count++}.tar`
        const file = { type: 'file', path: 'hello', mode: 0o755, uid: 0, gid: 0, mtimeNs: 0n } as const
        await writeFiles(folder, { [path]: Buffer.concat([...packTar([{ ...file, contents: bytesSource(new Uint8Array(bytes)) }])]) })
        return (await engine.images.import(join(folder, path), reference === undefined ? {} : { reference })).id
      },
      container: async (name, { image = 'some', labels = {}, run = true } = {}) => {
        const container = await engine.containers.create({ image, command: ['/hello'], name, labels })
        container.stdout.resume()
        if (run) {
          await container.start()
          await container.wait()
        }
        return container.id
      },
    })
  })
}

test('events are told from the beginning, from a time, or as they come, whoever asks', () =>
  withEngine(async ({ engine, image, container }) => {
    const before = new Date()
    await image('some', 10)
    const id = await container('one')
    await (await engine.containers.get('one')).remove()
    const told = async (options: Parameters<Engine['events']>[0]) => {
      const seen: string[] = []
      for await (const { type, action } of engine.events(options)) seen.push(`${type} ${action}`)
      return seen
    }
    // That it ended is for its launcher to say, which a wall of cardboard has not.
    const all = ['image import', 'container create', 'container start', 'container destroy']
    assert.equal(await told({}), all)
    assert.equal(await told({ since: before }), all)
    assert.equal(await told({ until: new Date(before.getTime() - 1) }), [])
    const stop = new AbortController()
    const seen: string[] = []
    for await (const event of engine.events({ follow: true, signal: stop.signal })) {
      seen.push(event.action)
      if (event.action === 'destroy' && event.id === id) await engine.images.tag('some', 'other')
      if (event.action === 'tag') stop.abort()
    }
    assert.equal(seen, ['import', 'create', 'start', 'destroy', 'tag'])
  }))

test('info counts containers by where they stand, and tells why a wall cannot be used', () =>
  withEngine(async ({ engine, wall, image, container }) => {
    await image('some', 10)
    await image('other', 20)
    await container('ended')
    await container('waits', { run: false })
    wall.unavailableReason = 'made of cardboard'
    const { containers, images, walls, home } = await engine.info()
    assert.equal(containers, { running: 0, paused: 0, stopped: 2 })
    assert.equal([images, walls, home], [2, { native: 'made of cardboard' }, engine.home])
  }))

test('disk usage counts what images share once, and what no container uses as reclaimable', () =>
  withEngine(async ({ engine, wall, image, container }) => {
    const [some, other] = [await image('some', 100_000), await image('other', 300_000)]
    await engine.images.tag('some', 'again')
    wall.writes = { changes: [], bytes: 4321 }
    await container('one')
    await engine.volumes.create({ name: 'data' })
    const { images, containers, volumes } = await engine.diskUsage()
    const [small, large] = [some, other].map((id) => images.items.find((item) => item.image.id === id))
    assert.is(images.items.length, 2)
    assert.ok((small?.bytes ?? 0) > 100_000 && (large?.bytes ?? 0) > 300_000)
    assert.equal([small?.containers, large?.containers, small?.sharedBytes], [1, 0, 0])
    assert.is(images.bytes, (small?.bytes ?? 0) + (large?.bytes ?? 0))
    assert.is(images.reclaimableBytes, large?.bytes)
    assert.equal(
      containers.map(({ container: { name }, bytes }) => [name, bytes]),
      [['one', 4321]],
    )
    assert.equal(
      volumes.map(({ volume: { name }, bytes }) => [name, bytes]),
      [['data', 0]],
    )
  }))

test('pruning removes the containers that do not run and are meant, and tells what they had written', () =>
  withEngine(async ({ engine, wall, image, container }) => {
    await image('some', 10)
    wall.writes = { changes: [], bytes: 1000 }
    const gone = [await container('one', { labels: { prune: 'yes' } }), await container('two', { labels: { prune: 'yes' } })]
    await container('three')
    const { ids, bytes } = await engine.containers.prune({ matches: ({ labels }) => labels.prune === 'yes' })
    assert.equal([[...ids].sort(), bytes], [gone.sort(), 2000])
    assert.equal(
      (await engine.containers.list({ all: true })).map(({ name }) => name),
      ['three'],
    )
  }))

test('an image that is to be removed for having no name stays when it has one', () =>
  withEngine(async ({ engine, image }) => {
    const [named, unnamed] = [await image('some', 10), await image(undefined, 20)]
    await assertRejects(engine.images.remove(named, { unnamed: true }), 'CONFLICT', /it has a name: some/)
    assert.equal((await engine.images.remove(unnamed, { unnamed: true })).deleted, [unnamed])
    assert.equal(
      (await engine.images.list()).map(({ id }) => id),
      [named],
    )
  }))

test('the history of an image is what its config tells, newest step first', () =>
  withEngine(async ({ engine, image }) => {
    const id = await image('some', 10)
    const steps = await engine.images.history('some')
    assert.is(steps[0]?.id, id)
    assert.ok((steps.at(-1)?.sizeBytes ?? 0) > 10)
    await assertRejects(engine.images.history('nosuch'), 'IMAGE_NOT_FOUND')
  }))

test.run()
