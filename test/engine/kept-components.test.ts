/** What components were transpiled to, as a part of the home: counted, checked, and gone with its image. */
import { readdirSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import * as assert from 'uvu/assert'
import { Engine } from '../../src/engine/engine.js'
import { componentOf } from '../support/components.js'
import { deadIdentity } from '../support/dead-identity.js'
import { withFolder } from '../support/image-fixtures.js'
import { suite } from '../support/suite.js'
import { guestBytes } from '../support/wasm-wall.js'

const test = suite('engine/kept-components')
const hello = await componentOf(guestBytes('hello'))

interface Bench {
  readonly engine: Engine
  readonly home: string
  /** What the receipt of a run calls its engine. */
  run(): Promise<string>
  /** Paths of what is kept, below the home. */
  kept(): readonly string[]
}

function withBench(body: (bench: Bench) => Promise<void>): () => Promise<void> {
  return () =>
    withFolder(async (folder) => {
      const home = join(folder, 'home')
      const path = join(folder, 'hello.wasm')
      writeFileSync(path, hello)
      await using engine = await Engine.open({ home })
      await engine.images.import(path, { reference: 'hello' })
      const run: Bench['run'] = async () => {
        const container = await engine.containers.create({ image: 'hello', autoRemove: true })
        const out = text(container.stdout)
        container.stderr?.resume()
        await container.start()
        const receipt = await container.receipt()
        await container.wait()
        assert.is(await out, 'hello from wasm\n')
        return receipt.wasm?.engine ?? ''
      }
      const kept = () =>
        readdirSync(join(home, 'layers'), { recursive: true })
          .map((name) => join('layers', String(name)))
          .filter((name) => name.includes('/component-'))
      await body({ engine, home, run, kept })
    })
}

test(
  'what is kept counts as its image’s, is checked, and goes with the image',
  withBench(async ({ engine, home, run, kept }) => {
    const before = (await engine.diskUsage()).images.bytes
    assert.match(await run(), 'transpiled by jco before')
    const [path = '', ...others] = kept()
    assert.equal(others, [])
    assert.ok((await engine.diskUsage()).images.bytes > before + hello.length)
    assert.ok((await engine.check()).whole)
    truncateSync(join(home, path), 100_000)
    writeFileSync(join(home, `${path}.${await deadIdentity()}-1`), '')
    const { damages } = await engine.check()
    assert.equal(damages.map(({ kind, problem }) => `${kind} ${problem}`).sort(), [
      'layer is not what a component was transpiled to',
      'leftover was left by a process that is gone',
    ])
    assert.ok((await engine.check({ repair: true })).whole)
    assert.equal(kept(), [])
    await run()
    assert.equal(kept(), [path])
    await engine.images.remove('hello')
    assert.equal(kept(), [])
  }),
)

test.run()
