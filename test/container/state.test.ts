import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import { type ContainerRecord, RECORD_VERSION, summaryOf } from '../../src/container/record.js'
import { containerSettings } from '../../src/container/settings.js'
import { ContainerState } from '../../src/container/state.js'
import { EngineError } from '../../src/errors.js'
import { ownIdentity } from '../../src/store/process-identity.js'
import { deadIdentity } from '../support/dead-identity.js'
import { withFolder } from '../support/image-fixtures.js'
import { containerSpec } from '../support/specs.js'
import { suite } from '../support/suite.js'

const test = suite('container/state')
const digest = `sha256:${'0'.repeat(64)}` as const

function record(id: string, name: string, change: Partial<ContainerRecord> = {}): ContainerRecord {
  return {
    version: RECORD_VERSION,
    id,
    name,
    image: { reference: 'some', id: digest, manifest: digest, platform: { os: 'linux', architecture: 'amd64' }, diffIds: [] },
    runtime: 'native',
    spec: containerSpec(),
    labels: {},
    autoRemove: false,
    settings: containerSettings({ image: 'some' }, {}),
    outlives: false,
    paused: false,
    stopRequested: false,
    restartCount: 0,
    restartFailures: 0,
    status: 'created',
    owner: ownIdentity(),
    task: null,
    createdAt: new Date().toISOString(),
    startedAt: null,
    finishedAt: null,
    exit: null,
    ...change,
  }
}

async function make(state: ContainerState, name?: string, change?: Partial<ContainerRecord>): Promise<ContainerRecord> {
  const id = ContainerState.newId()
  return state.create(id, { name, record: (_, taken) => record(id, taken, change) })
}

test('a container is found by name, by id and by the start of its id', () =>
  withFolder(async (home) => {
    const state = new ContainerState(home)
    const made = await make(state, 'placid')
    for (const word of ['placid', made.id, made.id.slice(0, 5)]) assert.equal(await state.find(word), [made.id], word)
    for (const word of ['placi', '', '..', '/', 'a/b', 'A'.repeat(300)]) assert.equal(await state.find(word), [], word)
  }))

test('a start of two ids finds both', () =>
  withFolder(async (home) => {
    const state = new ContainerState(home)
    for (let count = 0; count < 17; count++) await make(state)
    const ids = (await state.list()).map(({ id }) => id)
    const shared = ids.find((id) => ids.filter((other) => other[0] === id[0]).length > 1)
    assert.ok(shared, 'of 17 ids two begin with the same digit')
    assert.ok((await state.find(shared[0] ?? '')).length > 1)
  }))

test('a name is had by one container at a time, and is free again when that is gone', () =>
  withFolder(async (home) => {
    const state = new ContainerState(home)
    const first = await make(state, 'one')
    try {
      await make(state, 'one')
      assert.unreachable()
    } catch (error) {
      assert.ok(error instanceof EngineError && error.code === 'CONFLICT')
      assert.match(error.message, first.id.slice(0, 12))
    }
    assert.is((await state.list()).length, 1)
    assert.is(readdirSync(join(home, 'containers')).length, 2, 'one folder, and that of the names')
    await state.remove(first)
    assert.is((await make(state, 'one')).name, 'one')
  }))

test('a container that its own process made to be removed is removed without the lock', () =>
  withFolder(async (home) => {
    const state = new ContainerState(home)
    const own = await make(state, 'own', { autoRemove: true })
    const kept = await make(state, 'kept')
    let waiting: Promise<void> | undefined
    await state.hold(async () => {
      await state.remove(own)
      assert.equal(await state.find('own'), [])
      waiting = state.remove(kept)
      await sleep(30)
      assert.equal(await state.find('kept'), [kept.id], 'one that is not its own to remove waits for whoever holds the containers')
    })
    await waiting
    assert.equal(readdirSync(join(home, 'containers')), ['names'])
    assert.equal(readdirSync(join(home, 'containers/names')), [])
  }))

test('a name that another container has taken stays when a record that still bears it is removed', () =>
  withFolder(async (home) => {
    const state = new ContainerState(home)
    const own = await make(state, 'wanted', { autoRemove: true })
    rmSync(join(home, 'containers/names/wanted'))
    const other = await make(state, 'wanted')
    await state.remove(own)
    assert.equal(await state.find('wanted'), [other.id])
  }))

test('of many that want the same name at once one gets it', () =>
  withFolder(async (home) => {
    const attempts = await Promise.allSettled(Array.from({ length: 8 }, () => make(new ContainerState(home), 'wanted')))
    assert.is(attempts.filter(({ status }) => status === 'fulfilled').length, 1)
    assert.is((await new ContainerState(home).list()).length, 1)
  }))

test('names that docker refuses are refused, and a made-up one is accepted', () =>
  withFolder(async (home) => {
    const state = new ContainerState(home)
    for (const name of ['', 'a', '-ab', '../ab', 'a b', 'ä1', 'a/b', 'x'.repeat(129)]) {
      const failed = await make(state, name).then(
        () => null,
        (error) => error,
      )
      assert.ok(failed instanceof EngineError && failed.code === 'INVALID_ARGUMENT', name)
    }
    assert.match((await make(state)).name, /^[a-z]+_[a-z]+$/)
  }))

test('a folder without a record is rubbish, and one whose maker is still at work is not', () =>
  withFolder(async (home) => {
    const state = new ContainerState(home)
    const made = await make(state)
    const rubbish = state.directoryOf(ContainerState.newId())
    mkdirSync(join(rubbish, 'native'), { recursive: true })
    const discarded: string[] = []
    const making = state.create(ContainerState.newId(), {
      name: undefined,
      record: (id, name) => record(id, name),
    })
    await state.removeRubbish(async (_, directory) => {
      discarded.push(directory)
    })
    await making
    assert.equal(discarded, [rubbish])
    assert.not.ok(existsSync(rubbish))
    assert.ok(state.read(made.id))
    assert.is((await state.list()).length, 2)
  }))

test('a name that a killed command had taken goes with what it left', () =>
  withFolder(async (home) => {
    const state = new ContainerState(home)
    const made = await make(state)
    rmSync(join(state.directoryOf(made.id), 'container.json'))
    await state.removeRubbish(async () => {})
    assert.equal(readdirSync(join(home, 'containers', 'names')), [])
  }))

test('a record of which anything is missing, or something else, is none, and hinders nobody', () =>
  withFolder(async (home) => {
    const state = new ContainerState(home)
    const made = await make(state)
    const path = join(state.directoryOf(made.id), 'container.json')
    const whole = readFileSync(path, 'utf8')
    const spoilt = [null, [], '', 0, {}].flatMap((other) =>
      ['settings', 'image', 'spec', 'name', 'createdAt', 'owner', 'id', 'version'].map((key) => JSON.stringify({ ...made, [key]: other })),
    )
    // No owner is what nobody has, and a name may be anything.
    const sound = new Set(
      ['owner', 'name', 'createdAt'].flatMap((key) => [null, ''].map((other) => JSON.stringify({ ...made, [key]: other }))),
    )
    const cut = Array.from({ length: whole.length }, (_, length) => whole.slice(0, length))
    for (const text of [...spoilt, ...cut, '\0'.repeat(whole.length), 'null', '[]', '"x"', '7']) {
      if (text === '' || sound.has(text)) continue
      writeFileSync(path, text)
      assert.is(state.read(made.id), null, text.slice(0, 80))
      assert.equal(await state.list(), [])
      assert.is((await state.listDead()).length, 1)
    }
  }))

test('a FIFO, a symlink, a folder or a file without measure in the place of a record keeps nobody waiting: its container is dead', () =>
  withFolder(async (home) => {
    const state = new ContainerState(home)
    const other = await make(state)
    const made = await make(state)
    const path = join(state.directoryOf(made.id), 'container.json')
    const elsewhere = join(home, 'elsewhere.json')
    writeFileSync(elsewhere, readFileSync(path))
    const places: Readonly<Record<string, () => void>> = {
      FIFO: () => void execFileSync('mkfifo', [path]),
      symlink: () => symlinkSync(elsewhere, path),
      folder: () => mkdirSync(path),
      'file without measure': () => {
        writeFileSync(path, '')
        truncateSync(path, 2 ** 40)
      },
    }
    for (const [what, put] of Object.entries(places)) {
      rmSync(path, { recursive: true })
      put()
      await state.removeRubbish(async () => assert.unreachable())
      assert.is(state.read(made.id), null, what)
      assert.equal(
        (await state.list()).map(({ id }) => id),
        [other.id],
        what,
      )
      assert.equal(
        (await state.listDead()).map(({ id }) => id),
        [made.id],
        what,
      )
    }
    await state.remove(made)
    assert.ok(existsSync(elsewhere))
  }))

test('a record of another version is neither read nor removed, and its container is dead', () =>
  withFolder(async (home) => {
    const state = new ContainerState(home)
    const made = await make(state)
    writeFileSync(join(state.directoryOf(made.id), 'container.json'), JSON.stringify({ ...made, version: 99 }))
    await state.removeRubbish(async () => assert.unreachable())
    assert.is(state.read(made.id), null)
    assert.equal(await state.list(), [])
    assert.equal(
      (await state.listDead()).map(({ id, name }) => [id, name]),
      [[made.id, made.name]],
    )
  }))

test('writing the record of a container that was removed meanwhile does not bring it back', () =>
  withFolder(async (home) => {
    const state = new ContainerState(home)
    const made = await make(state)
    await state.remove(made)
    await state.write({ ...made, status: 'exited' })
    assert.not.ok(existsSync(state.directoryOf(made.id)))
    await state.remove(made)
  }))

test('everything is readable by nobody else', () =>
  withFolder(async (home) => {
    const state = new ContainerState(home)
    const made = await make(state)
    const { statSync } = await import('node:fs')
    assert.is(statSync(state.directoryOf(made.id)).mode & 0o077, 0)
    assert.is(statSync(join(state.directoryOf(made.id), 'container.json')).mode & 0o077, 0)
  }))

test('a container whose owner and guest are gone without a word has exited, with no time anybody saw', async () => {
  const dead = await deadIdentity()
  const left = record('a'.repeat(64), 'left', { status: 'running', owner: dead, task: { pid: 1, identity: dead } })
  const summary = summaryOf(left)
  assert.is(summary.status, 'exited')
  assert.is(summary.exit?.exitCode, 137)
  assert.is(summary.finishedAt, null)
  assert.is(summary.pid, null)
})

test('a container whose owner is gone but whose guest still runs is running', async () => {
  const dead = await deadIdentity()
  const summary = summaryOf(
    record('a'.repeat(64), 'left', { status: 'running', owner: dead, task: { pid: process.pid, identity: ownIdentity() } }),
  )
  assert.is(summary.status, 'running')
  assert.is(summary.pid, process.pid)
})

test.run()
