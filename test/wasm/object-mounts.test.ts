import { setTimeout as sleep } from 'node:timers/promises'
import { Volume } from 'memfs'
import * as assert from 'uvu/assert'
import type { ObjectMount } from '../../src/runtime/spec.js'
import { objectMountContract, type RunWithObject } from '../contract/object-mounts.js'
import { NATIVE } from '../support/requirements.js'
import { type RegisterTest, suite } from '../support/suite.js'
import { withWasmWall } from '../support/wasm-wall.js'

const test = suite('wasm/object-mounts')
const work: ObjectMount = { type: 'fs', source: '/', destination: '/work', readonly: false, sizeBytes: 1 << 20 }
const supervision = {
  outlives: true,
  log: null,
  journal: { path: '/nowhere', word: 'x' },
  endCommand: [],
  beat: null,
  environment: [],
}
const probe = (steps: readonly (readonly unknown[])[]) => ['/probe.wasm', ...steps.flatMap((step) => [',', ...step.map(String)])]

const over =
  (nativeWall: 'required' | 'never'): RunWithObject =>
  async (volume, steps, mount = {}) => {
    let output = ''
    await withWasmWall(
      {},
      async ({ run }) => {
        const { status, stdout, stderr } = await run(probe(steps), {
          change: { mounts: [{ ...work, ...mount }] },
          request: { objects: new Map([['/work', volume]]) },
        })
        assert.is(status.exitCode, 0, stderr)
        output = stdout
      },
      { nativeWall },
    )
    return output
  }

const named =
  (wall: string, register: RegisterTest): RegisterTest =>
  (name, body, options) =>
    register(`${wall}: ${name}`, body, options)

objectMountContract(named('single wall', test), over('never'))
objectMountContract(named('double wall', test.needs(NATIVE)), over('required'))

test('what the host changes while the guest runs is seen at once', () =>
  withWasmWall({}, async ({ create }) => {
    const volume = Volume.fromJSON({ '/f': 'before' })
    const steps = [
      ['write', '/work/ready', ''],
      ['sleep', 1500],
      ['cat', '/work/f'],
      ['cat', '/work/new'],
    ]
    const task = await create(probe(steps), { mounts: [work] }, { objects: new Map([['/work', volume]]) })
    let output = ''
    task.stdout.on('data', (chunk) => {
      output += chunk
    })
    await task.start()
    for (let tries = 0; !volume.existsSync('/ready') && tries < 400; tries++) await sleep(10)
    volume.writeFileSync('/f', 'after')
    volume.writeFileSync('/new', 'made')
    assert.is((await task.wait()).exitCode, 0)
    assert.match(output, /after[\s\S]*made/)
  }))

test('binary contents, modes and times come through', () =>
  withWasmWall({}, async ({ run }) => {
    const bytes = Buffer.from(Array.from({ length: 700_000 }, (_, index) => (index * 31) % 256))
    const volume = new Volume()
    volume.writeFileSync('/bytes', bytes)
    const { stdout } = await run(
      probe([
        ['size', '/work/bytes'],
        ['rename', '/work/bytes', '/work/moved'],
        ['fill', '/work/new', 655_360],
      ]),
      {
        change: { mounts: [work] },
        request: { objects: new Map([['/work', volume]]) },
      },
    )
    assert.match(stdout, /700000/)
    assert.ok((volume.readFileSync('/moved') as Buffer).equals(bytes))
    assert.is(volume.statSync('/new').size, 655_360)
    assert.is(volume.statSync('/new').mode & 0o777, 0o644)
    assert.ok(Math.abs(Number(volume.statSync('/new').mtimeMs) - Date.now()) < 60_000)
  }))

test('what a guest had written before it was killed is there', () =>
  withWasmWall({}, async ({ create }) => {
    const volume = new Volume()
    const task = await create(
      probe([['write', '/work/f', 'kept'], ['loop']]),
      { mounts: [work] },
      { objects: new Map([['/work', volume]]) },
    )
    await task.start()
    for (let tries = 0; !volume.existsSync('/f') && tries < 400; tries++) await sleep(10)
    await sleep(50)
    await task.kill('SIGKILL')
    await task.wait()
    assert.equal(volume.toJSON(), { '/f': 'kept' })
  }))

test('a container that outlives this process, or is begun by another, is refused by name', () =>
  withWasmWall({}, async ({ create }) => {
    const refused = async (code: string, request: Parameters<typeof create>[2]) => {
      const error = await create(probe([]), { mounts: [work], ephemeral: false }, request).then(
        () => null,
        (reason) => reason,
      )
      assert.is(error?.code, code, String(error))
    }
    await refused('NOT_BUILT', { objects: new Map([['/work', new Volume()]]), supervision })
    await refused('CONFLICT', {})
  }))

test.run()
