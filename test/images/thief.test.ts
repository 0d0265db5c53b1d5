import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import * as assert from 'uvu/assert'
import { makeImages } from '../../images/make.js'
import { compileThief } from '../../images/thief/compile.js'
import { parseThiefReport, type ThiefReport } from '../../images/thief/report.js'
import { Decoys } from '../../src/cli/decoys.js'
import { Engine, type EngineError } from '../../src/index.js'
import type { Limits } from '../../src/runtime/limits.js'
import { CC, NATIVE, WASM } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('images/thief')
const MIB = 2 ** 20
/** Attempts at something of the host's; the others are bombs. */
const THEFTS = ['keys', 'environment', 'hostname', 'processes', 'phone-home', 'write-outside', 'kernel']

async function withEngine(body: (engine: Engine, folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'wolffia-test-'))
  try {
    await using engine = await Engine.open({ home: join(folder, 'home') })
    await body(engine, folder)
    for (const { id } of await engine.images.list()) await engine.images.remove(id, { force: true })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** What the thief brings home from behind a wall, and what was seen of it from outside. */
async function stealBehind(engine: Engine, runtime: 'native' | 'wasm', limits: Limits): Promise<ThiefReport> {
  await using decoys = await Decoys.plant()
  await makeImages(engine, ['thief'])
  const command = decoys.errand('/scratch')
  await using container = await engine.containers.create({ image: 'thief', command, runtime, limits, autoRemove: true })
  const output = text(container.stdout)
  await container.start()
  const { reason } = await container.wait()
  assert.is(reason, 'exited')
  assert.equal(await decoys.traces(), { fileChanged: false, connections: 0 })
  return parseThiefReport(await output)
}

function outcomes({ attempts }: ThiefReport): Readonly<Record<string, string>> {
  return Object.fromEntries(attempts.map(({ name, outcome }) => [name, outcome]))
}

const refused = Object.fromEntries(THEFTS.map((name) => [name, 'refused']))

test.needs(CC)('without a wall the thief gets every decoy, so that nothing got behind a wall means something', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'wolffia-test-'))
  await using decoys = await Decoys.plant()
  try {
    assert.is(await compileThief(join(folder, 'thief')), null)
    // It exits with 1 when it got something.
    const ended = await promisify(execFile)(join(folder, 'thief'), [...decoys.errand(join(folder, 'scratch'))]).catch((error) => error)
    assert.is(ended.code, 1)
    const report = parseThiefReport(ended.stdout)
    assert.is(report.complete, true)
    const expected = ['keys', 'environment', 'hostname', 'processes', 'phone-home', 'write-outside', 'fork', 'disk', 'memory']
    assert.equal(
      expected.filter((name) => outcomes(report)[name] !== 'got'),
      [],
    )
    assert.equal(await decoys.traces(), { fileChanged: true, connections: 1 })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

test.needs(CC, NATIVE)('behind the native wall the thief gets nothing of the host, and its bombs stop at their limits', () =>
  withEngine(async (engine) => {
    const report = await stealBehind(engine, 'native', { pids: 32, diskBytes: 16 * MIB })
    assert.equal(outcomes(report), { ...refused, fork: 'stopped', disk: 'stopped', memory: 'got' })
    const disk = report.attempts.find(({ name }) => name === 'disk')
    assert.ok((disk?.got ?? 99) <= 16, JSON.stringify(disk))
  }),
)

test.needs(WASM)('behind the Wasm wall the thief gets nothing at all, and its bombs stop at their limits', () =>
  withEngine(async (engine) => {
    const report = await stealBehind(engine, 'wasm', { memoryBytes: 48 * MIB, diskBytes: 16 * MIB })
    assert.is(report.platform, 'wasi')
    assert.equal(outcomes(report), { ...refused, fork: 'refused', disk: 'stopped', memory: 'stopped' })
  }),
)

test.needs(CC)('both platforms stand under one name; an image that is current is not made again', () =>
  withEngine(async (engine) => {
    assert.is((await makeImages(engine, ['thief']))[0]?.state, 'made')
    const { platforms } = await engine.images.inspect('thief')
    assert.equal(platforms.map(({ platform }) => platform.os).sort(), ['linux', 'wasi'])
    assert.is((await makeImages(engine, ['thief']))[0]?.state, 'current')
  }),
)

test('without a C compiler the Wasm thief is made, and why there is no other is said', () =>
  withEngine(async (engine) => {
    const compiler = process.env.CC
    process.env.CC = 'no-such-compiler'
    try {
      const [made] = await makeImages(engine, ['thief'])
      assert.is(made?.state, 'made')
      assert.match(made?.missing.join() ?? '', /no C compiler \(no-such-compiler\): install gcc or clang/)
      const { platforms } = await engine.images.inspect('thief')
      assert.equal(
        platforms.map(({ platform }) => platform.os),
        ['wasi'],
      )
    } finally {
      if (compiler === undefined) delete process.env.CC
      else process.env.CC = compiler
    }
  }))

test('a folder of the PATH that cannot be looked into is no compiler that fails', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'wolffia-test-'))
  const { PATH, CC: compiler } = process.env
  try {
    await mkdir(join(folder, 'closed'), { mode: 0 })
    process.env.PATH = join(folder, 'closed')
    delete process.env.CC
    assert.match((await compileThief(join(folder, 'thief'))) ?? '', /there is no C compiler \(cc\)/)
  } finally {
    process.env.PATH = PATH
    if (compiler !== undefined) process.env.CC = compiler
    await rm(folder, { recursive: true })
  }
})

test("an image of the user's own that has the sample's name is left alone", () =>
  withEngine(async (engine) => {
    await engine.images.import('dist/wasm/hello.wasm', { reference: 'thief' })
    const error: EngineError = await makeImages(engine, ['thief']).then(
      () => assert.unreachable('it was replaced'),
      (reason) => reason,
    )
    assert.is(error.code, 'CONFLICT')
    assert.match(error.hint ?? '', /wolffia tag thief my-thief/)
  }))

test.run()
