import * as nodeFs from 'node:fs'
import { lstatSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Volume } from 'memfs'
import * as assert from 'uvu/assert'
import { settleObjects } from '../../src/container/object-mounts.js'
import { Engine } from '../../src/engine/engine.js'
import type { EngineError } from '../../src/errors.js'
import type { NodeFsLike } from '../../src/fs/node-fs-like.js'
import { assertRejects, withFolder } from '../support/image-fixtures.js'
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

test.run()
