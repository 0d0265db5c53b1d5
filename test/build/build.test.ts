import { readdirSync, statSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { UnionFs } from '../../src/fs/union-fs.js'
import { findImage } from '../../src/image/find.js'
import { openImage } from '../../src/image/image.js'
import type { BuildEvent, Engine } from '../../src/index.js'
import { openStoredLayer } from '../../src/rootfs/layer-stack.js'
import { Store } from '../../src/store/store.js'
import { contextOf, describeBuilt, withBuilder } from '../support/build-cases.js'
import { assertRejects, assertWhole, stream, tarOf } from '../support/image-fixtures.js'
import { BUSYBOX, NATIVE } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('build/build')
const CREATED = new Date('2024-01-02T03:04:05Z')

test('the same files at the same time give the same image, from a folder and from a tar; files keep their own times', () =>
  withBuilder(async (engine, folder) => {
    const context = await contextOf(folder, { 'b/file': 'b', a: 'a' })
    for (const path of ['a', 'b/file', 'b']) utimesSync(join(context, path), 77, 77)
    const build = (from: string) =>
      engine.images.build({ context: from, dockerfileText: 'FROM base\nCOPY . /x\nWORKDIR /new', created: CREATED, tags: ['built'] })
    const first = await build(context)
    assert.is((await build(context)).id, first.id)
    assert.equal(first.createdAt, CREATED)
    const store = await Store.open({ root: engine.home })
    await assertWhole(store)
    const { diffIds } = await engine.images.inspect('built')
    const inodeOf = (path: string) => statSync(join(engine.home, path)).ino
    const [, copied = ''] = diffIds.map((diffId) => diffId.slice('sha256:'.length))
    assert.is(inodeOf(`layers/${copied}/tar`), inodeOf(`blobs/sha256/${copied}`), 'a layer is on disk once')
    const image = openImage(store.layout, (await findImage(store, 'built')).descriptor)
    const layers = await Promise.all((await image.layers()).map((layer) => store.layers.ensure(layer)))
    const opened = layers.map(openStoredLayer)
    const tree = new UnionFs({ lowers: opened })
    const timeOf = (path: string) => {
      const ino = path.split('/').reduce((directory, name) => tree.lookup(directory, name) ?? 0, tree.root)
      return Number(tree.stat(ino).mtimeNs / 1_000_000n)
    }
    assert.equal([timeOf('x/a'), timeOf('x/b/file'), timeOf('x/b')], [77_000, 77_000, 77_000])
    assert.is(timeOf('new'), CREATED.getTime())
    for (const layer of opened) layer.close()
  }))

test('what happens is told in order, and build arguments that nobody used are', () =>
  withBuilder(async (engine) => {
    const events: BuildEvent[] = []
    const { id } = await engine.images.build({
      dockerfileText: 'FROM base\nLABEL a=b',
      buildArgs: { UNUSED: '1', HTTP_PROXY: 'x' },
      onEvent: (event) => events.push(event),
    })
    assert.equal(
      events.map((event) => [event.event, 'instruction' in event ? event.instruction : 'message' in event ? event.message : '']),
      [
        ['step', 'FROM base'],
        ['image', ''],
        ['step', 'LABEL a=b'],
        ['image', ''],
        ['warning', 'One or more build-args [UNUSED] were not consumed'],
      ],
    )
    assert.equal(events.at(-2), { event: 'image', id })
  }))

test('an image with ONBUILD instructions is not silently built on without them', () =>
  withBuilder(async (engine) => {
    await engine.images.import(stream(tarOf({ a: 'x' })), { reference: 'triggers', changes: ['ONBUILD RUN make'] })
    await assertRejects(
      engine.images.build({ dockerfileText: 'FROM triggers\nLABEL a=b' }),
      'NOT_BUILT',
      /^Dockerfile:1: .*ONBUILD .*RUN make/,
    )
  }))

test('a mistake anywhere is told before the first step', () =>
  withBuilder(async (engine) => {
    const events: BuildEvent[] = []
    const build = engine.images.build({ dockerfileText: 'FROM base\nLABEL a=b\nADD x y', onEvent: (event) => events.push(event) })
    await assertRejects(build, 'NOT_BUILT', /^Dockerfile:3: ADD is not built yet$/)
    assert.equal(events, [])
  }))

test('an aborted build leaves the store as it was', () =>
  withBuilder(async (engine) => {
    const before = JSON.stringify(await engine.images.list())
    const controller = new AbortController()
    const build = engine.images.build({
      dockerfileText: 'FROM base\nLABEL a=b\nLABEL c=d',
      tags: ['built'],
      signal: controller.signal,
      onEvent: ({ event }) => event === 'image' && controller.abort(),
    })
    await assertRejects(build, 'ABORTED')
    assert.is(JSON.stringify(await engine.images.list()), before)
  }))

/** Everything in the folder of an engine, but for what is locked. */
const filesOf = (engine: Engine) =>
  readdirSync(engine.home, { recursive: true, encoding: 'utf8' })
    .filter((path) => /^(blobs|layers|ingest|trees)/.test(path) && /[0-9a-f]{64}$/.test(path))
    .sort()

test('a build that fails leaves no blob and no layer; one of several stages only those of its image', () =>
  withBuilder(async (engine, folder) => {
    const context = await contextOf(folder, { file: 'x' })
    await engine.images.build({ dockerfileText: 'FROM base\nWORKDIR /x', tags: ['first'], created: CREATED })
    const before = filesOf(engine)
    await assertRejects(
      engine.images.build({ context, dockerfileText: 'FROM base\nCOPY file /y\nWORKDIR /z\nCOPY nosuch /z' }),
      'INVALID_ARGUMENT',
    )
    assert.equal(filesOf(engine), before)
    const stages = 'FROM base AS one\nCOPY file /y\nWORKDIR /z\nFROM scratch\nCOPY --from=one /y /y'
    const { id } = await engine.images.build({ context, dockerfileText: stages, created: CREATED })
    const { diffIds } = await engine.images.inspect(id)
    assert.is(diffIds.length, 1)
    const made = filesOf(engine).filter((path) => path.startsWith('layers/') && !before.includes(path))
    assert.ok(made.length <= 1, made.join())
    await engine.images.remove(id)
    assert.equal(filesOf(engine), before)
  }))

test('what is removed meanwhile takes nothing from a build under way', () =>
  withBuilder(async (engine, folder) => {
    const context = await contextOf(folder, { file: 'x' })
    await engine.images.build({ dockerfileText: 'FROM scratch\nWORKDIR /other', tags: ['other'] })
    let removed: Promise<unknown> | null = null
    await engine.images.build({
      context,
      dockerfileText: 'FROM base\nCOPY file /a\nCOPY file /b\nWORKDIR /c\nCOPY file /c/d',
      tags: ['built'],
      onEvent: (event) => {
        if (event.event === 'step' && event.number === 3) removed = engine.images.remove('other')
      },
    })
    await removed
    const { tree } = await describeBuilt(engine, 'built')
    assert.equal(
      ['a', 'b', 'c/d'].map((path) => path in tree),
      [true, true, true],
    )
  }))

/** Names of what containers of this engine have left. */
async function containersOf(engine: Engine): Promise<readonly string[]> {
  return (await engine.containers.list({ all: true })).map(({ name }) => name)
}

test.needs(NATIVE, BUSYBOX)('a RUN that is aborted is killed with all it started, and nothing is left of its container', () =>
  withBuilder(
    async (engine) => {
      const controller = new AbortController()
      const build = engine.images.build({
        dockerfileText: 'FROM busybox\nRUN busybox sleep 1000 & echo begun; busybox sleep 1000',
        signal: controller.signal,
        onEvent: ({ event }) => event === 'output' && controller.abort(),
      })
      await assertRejects(build, 'ABORTED')
      assert.equal(await containersOf(engine), [])
    },
    { busybox: true },
  ),
)

test.needs(NATIVE, BUSYBOX)('a large output of a RUN comes whole, and a layer on a layer on a layer is right', () =>
  withBuilder(
    async (engine) => {
      let bytes = 0
      await engine.images.build({
        dockerfileText:
          'FROM busybox\nRUN busybox head -c 3000000 /dev/zero; echo 1 > /one\nRUN busybox mv /one /two\nRUN busybox rm /two; echo 3 > /three',
        tags: ['built'],
        onEvent: (event) => {
          if (event.event === 'output') bytes += event.bytes.length
        },
      })
      assert.is(bytes, 3_000_000)
      const { tree } = await describeBuilt(engine, 'built')
      assert.equal(
        ['one', 'two', 'three'].map((name) => name in tree),
        [false, false, true],
      )
      assert.equal(await containersOf(engine), [])
      assert.not.ok(statSync(join(engine.home, 'ingest')).nlink > 2, 'an ingest is left')
    },
    { busybox: true },
  ),
)

test.run()
