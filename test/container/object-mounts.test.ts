import * as nodeFs from 'node:fs'
import { lstatSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { Volume } from 'memfs'
import * as assert from 'uvu/assert'
import { inspectContainer } from '../../src/cli/inspect-form.js'
import { settleObjects } from '../../src/container/object-mounts.js'
import { Engine } from '../../src/engine/engine.js'
import type { EngineError } from '../../src/errors.js'
import type { NodeFsLike } from '../../src/fs/node-fs-like.js'
import { chooseIdMap } from '../../src/launcher/id-map.js'
import { packTar } from '../../src/layer/pack.js'
import { removeTrees } from '../../src/rootfs/remove-tree.js'
import { assertRejects, tarOf, withFolder } from '../support/image-fixtures.js'
import { BUSYBOX, NATIVE } from '../support/requirements.js'
import { busyboxEntries } from '../support/stored-layers.js'
import { suite } from '../support/suite.js'

const test = suite('container/object-mounts')
const mount = (fs: unknown) => ({ type: 'fs', destination: '/work/', fs: fs as NodeFsLike }) as const
const codeOf = (call: () => unknown) => {
  try {
    call()
    return null
  } catch (error) {
    return (error as EngineError).code
  }
}

test('an object is kept apart from the mount that names it', () => {
  const volume = new Volume()
  const { mounts, objects } = settleObjects({ mounts: [mount(volume)], limits: { diskBytes: 5 } })
  assert.equal(mounts, [{ type: 'fs', source: '/', destination: '/work', readonly: false, sizeBytes: 5 }])
  assert.is(objects.get('/work'), volume)
})

test("the host's own files, and what is no file system, are refused by name", () => {
  for (const fs of [nodeFs, { lstatSync: () => {} }, null, undefined, 'x', {}])
    assert.is(
      codeOf(() => settleObjects({ mounts: [mount(fs)] })),
      'INVALID_ARGUMENT',
    )
})

test('no record holds what a Volume does, and no container that goes on by itself has one', () =>
  withFolder(async (folder) => {
    const volume = Volume.fromJSON({ '/f': 'only-in-memory' })
    await using engine = await Engine.open({ home: folder })
    await engine.images.import(resolve('dist/wasm/probe.wasm'), { reference: 'probe' })
    const options = { image: 'probe', command: ['loop'], mounts: [mount(volume)] }
    await assertRejects(engine.containers.define(options), 'NOT_BUILT')
    await using container = await engine.containers.create(options)
    await container.start()
    await assertRejects(container.detach(), 'NOT_BUILT')
    await container.kill('SIGKILL')
    await container.wait()
    const written = readdirSync(join(folder, 'containers'), { recursive: true, encoding: 'utf8' })
      .map((path) => join(folder, 'containers', path))
      .filter((path) => lstatSync(path).isFile())
    assert.ok(written.length > 0)
    for (const path of written) assert.not.match(readFileSync(path, 'latin1'), 'only-in-memory')
    const again = await engine.containers.get(container.id)
    await assertRejects(again.start(), 'NOT_BUILT')
  }))

/** An engine that has an image with busybox in it. */
function withBusybox(body: (engine: Engine) => Promise<void>): Promise<void> {
  return withFolder(async (folder) => {
    writeFileSync(join(folder, 'root.tar'), Buffer.concat([...packTar(busyboxEntries())]))
    await using engine = await Engine.open({ home: join(folder, 'home') })
    await engine.images.import(join(folder, 'root.tar'), { reference: 'box' })
    try {
      await body(engine)
    } finally {
      await removeTrees(chooseIdMap().map, [join(folder, 'home')])
    }
  })
}

const script = (text: string) => ({ image: 'box', command: ['/bin/sh', '-c', text] })

test.needs(NATIVE, BUSYBOX)('a native container changes an object, and all that looks at the container tells of the mount', () =>
  withBusybox(async (engine) => {
    const volume = Volume.fromJSON({ '/draft': 'written by the host' })
    await using container = await engine.containers.create({
      ...script('until [ -e /work/go ]; do /bin/busybox sleep 0.02; done; /bin/busybox mv /work/draft /work/final'),
      mounts: [{ ...mount(volume), sizeBytes: 1 << 20 }],
    })
    await container.start()
    await container.copyIn('/work', Readable.from([tarOf({ copied: 'in' })]))
    const inside = await container.exec({ command: ['/bin/sh', '-c', '/bin/busybox cat /work/draft; echo made > /work/go'] })
    await inside.start()
    assert.is(await text(inside.stdout as Readable), 'written by the host')
    assert.is((await inside.wait()).exitCode, 0)
    assert.is((await container.wait()).exitCode, 0)
    assert.equal(volume.toJSON(), { '/copied': 'in', '/final': 'written by the host', '/go': 'made\n' })
    const { Mounts } = (await inspectContainer(container, [])) as { Mounts: unknown }
    assert.equal(Mounts, [{ Type: 'fs', Source: '', Destination: '/work', Mode: '', RW: true, Propagation: '' }])
    const { kernel } = await container.receipt()
    assert.match(kernel?.mounts.find(({ mountPoint }) => mountPoint === '/work')?.superOptions ?? '', /size=1028k/)
  }),
)

test.needs(NATIVE, BUSYBOX)(
  'what a native container cannot give back is the error of waiting for it, and the end is written down all the same',
  () =>
    withBusybox(async (engine) => {
      const volume = Volume.fromJSON({ '/mine': 'x' })
      const bomb = { ...script('/bin/busybox truncate -s 1000000000 /work/hole'), mounts: [{ ...mount(volume), sizeBytes: 4096 }] }
      for (const autoRemove of [false, true]) {
        const container = await engine.containers.create({ ...bomb, autoRemove })
        await container.start()
        await assertRejects(container.wait(), 'LIMIT_EXCEEDED', /what the guest left at \/work is not taken back/)
        assert.equal(volume.toJSON(), { '/mine': 'x' })
        if (autoRemove) await assertRejects(engine.containers.get(container.id), 'CONTAINER_NOT_FOUND')
        else {
          const found = await engine.containers.get(container.id)
          assert.is(found.status, 'exited')
          assert.match(found.summary().exit?.detail ?? '', /not taken back/)
          await found.remove()
        }
      }
      assert.equal(await engine.containers.list({ all: true }), [])
    }),
)

test.needs(NATIVE, BUSYBOX)('a native container that goes on by itself has no object either', () =>
  withBusybox(async (engine) => {
    const options = { ...script('/bin/busybox sleep 10'), mounts: [mount(new Volume())] }
    await assertRejects(engine.containers.define(options), 'NOT_BUILT')
    await using container = await engine.containers.create(options)
    await container.start()
    await assertRejects(container.detach(), 'NOT_BUILT')
    await container.kill('SIGKILL')
    await container.wait()
  }),
)

test.run()
