import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import type { EngineError } from '../../src/errors.js'
import { ownIdentity } from '../../src/store/process-identity.js'
import { deadIdentity } from '../support/dead-identity.js'
import { fc } from '../support/properties.js'
import { NATIVE } from '../support/requirements.js'
import { suite } from '../support/suite.js'
import { withVolumes } from '../support/volume-store.js'

const test = suite('volume/volumes')
const native = test.needs(NATIVE)
const codeOf = (error: EngineError) => error.code
const CONTAINER = 'c'.repeat(64)

test('a volume is a folder of its own with its description, and is given back by who makes it again', () =>
  withVolumes(async ({ home, store, another }) => {
    const volume = await store.create({ name: 'data', labels: { stage: 'test' } })
    assert.equal([volume.name, volume.driver, volume.labels, volume.anonymous], ['data', 'local', { stage: 'test' }, false])
    assert.is(volume.mountpoint, join(home, 'volumes/data/_data'))
    assert.equal([statSync(join(home, 'volumes/data')).mode & 0o777, statSync(volume.mountpoint).mode & 0o777], [0o700, 0o755])
    writeFileSync(join(volume.mountpoint, 'file'), 'kept')
    assert.equal(await another().create({ name: 'data', labels: { stage: 'other' } }), volume)
    assert.equal(await another().create({ name: 'data', driver: 'local' }), store.get('data'))
    assert.is(readFileSync(join(volume.mountpoint, 'file'), 'utf8'), 'kept')
  }))

test('one that nobody names has 64 hex digits and docker’s label', () =>
  withVolumes(async ({ store }) => {
    const { name, labels, anonymous } = await store.createAnonymous({ labels: { x: '1' } })
    assert.match(name, /^[0-9a-f]{64}$/)
    assert.equal([labels, anonymous], [{ x: '1', 'com.docker.volume.anonymous': '' }, true])
  }))

test('names follow docker’s rule, and drivers and options that are not there are named', () =>
  withVolumes(async ({ home, store }) => {
    for (const name of ['', '.', '..', '-x', '.x', '_x', 'a/b', 'a b', 'ä', 'x'.repeat(256), 'a', 'a\0b', '../data'])
      assert.is(await store.create({ name }).catch(codeOf), 'INVALID_ARGUMENT', JSON.stringify(name))
    for (const name of ['ab', '0.x', 'A_b-c.d', 'x'.repeat(255)]) assert.is((await store.create({ name })).name, name)
    for (const wrong of [{ driver: 'nfs' }, { options: { type: 'tmpfs' } }]) {
      const error: EngineError = await store.create({ name: 'other', ...wrong }).catch((each) => each)
      assert.equal([error.code, /"(nfs|type)"/.test(error.message)], ['NOT_BUILT', true])
    }
    assert.is(existsSync(join(home, 'volumes/other')), false)
  }))

test('what is not there is told with what is near', () =>
  withVolumes(async ({ store }) => {
    await store.create({ name: 'database' })
    for (const attempt of [() => store.get('databse'), () => store.get('../volumes/database'), () => store.get('..')])
      assert.throws(attempt, (error: EngineError) => error.code === 'VOLUME_NOT_FOUND')
    assert.throws(
      () => store.get('databse'),
      (error: EngineError) => error.hint === 'Did you mean "database"?',
    )
    assert.is(await store.remove('nothing').catch(codeOf), 'VOLUME_NOT_FOUND')
  }))

test('made by many at once it is made once', () =>
  withVolumes(async ({ home, another }) => {
    const made = await Promise.all(Array.from({ length: 8 }, () => another().create({ name: 'data' })))
    assert.is(new Set(made.map(({ createdAt }) => createdAt?.getTime())).size, 1)
    assert.equal(readdirSync(join(home, 'volumes')), ['data'])
  }))

native('one that a container has is not removed, and says whose it is', () =>
  withVolumes(async ({ home, store, users }) => {
    await store.create({ name: 'data' })
    users.push({ container: CONTAINER, volumes: ['data', 'data'] })
    const error: EngineError = await store.remove('data').catch((each) => each)
    assert.equal([error.code, error.message], ['CONFLICT', `remove data: volume is in use - [${CONTAINER}]`])
    await store.removeUnused(['data'])
    assert.is(store.get('data').name, 'data')
    users.pop()
    mkdirSync(join(home, 'volumes/data/_data/a/b'), { recursive: true })
    await store.remove('data')
    assert.equal(readdirSync(join(home, 'volumes')), [])
  }),
)

native('prune takes anonymous ones, with `all` every one, never one that is in use, and counts the bytes', () =>
  withVolumes(async ({ store, users }) => {
    const unused = await store.createAnonymous()
    const used = await store.createAnonymous()
    const named = await store.create({ name: 'named', labels: { keep: '' } })
    users.push({ container: CONTAINER, volumes: [used.name] })
    writeFileSync(join(unused.mountpoint, 'file'), 'x'.repeat(100))
    symlinkSync('/', join(unused.mountpoint, 'link'))
    assert.equal(await store.prune(), { names: [unused.name], bytes: 100 })
    assert.equal(await store.prune({ all: true, matches: ({ labels }) => !('keep' in labels) }), { names: [], bytes: 0 })
    assert.equal((await store.prune({ all: true })).names, [named.name])
    assert.equal(
      store.list().map(({ name }) => name),
      [used.name],
    )
  }),
)

native('a description that cannot be read hides no volume', () =>
  withVolumes(async ({ home, store }) => {
    const { mountpoint } = await store.create({ name: 'data' })
    for (const damage of ['', '{', '{}', 'null', '{"labels":1,"createdAt":"x"}']) {
      writeFileSync(join(home, 'volumes/data/volume.json'), damage)
      assert.equal(store.list(), [{ name: 'data', driver: 'local', mountpoint, labels: {}, createdAt: null, anonymous: false }])
    }
    await store.remove('data')
    assert.equal(store.list(), [])
  }),
)

native('what killed processes left half made or half removed is removed by the next removal, and nobody else’s', () =>
  withVolumes(async ({ home, store }) => {
    await store.create({ name: 'data' })
    const dead = await deadIdentity()
    const [left, mine] = [`.removed-${dead}-1`, `.new-${ownIdentity()}-99`]
    for (const name of [left, `.new-${dead}-2`, mine]) mkdirSync(join(home, 'volumes', name, '_data/inner'), { recursive: true })
    assert.equal(
      store.list().map(({ name }) => name),
      ['data'],
    )
    await store.remove('data')
    assert.equal(readdirSync(join(home, 'volumes')), [mine])
  }),
)

native('a volume made for a container goes when its maker was killed before the container was there', () =>
  withVolumes(async ({ store, users }) => {
    const [killed, alive, confirmed, used] = [0, 1, 2, 3].map(() => store.createAnonymous({ madeForContainer: true }))
    const names = (await Promise.all([killed, alive, confirmed, used])).map((volume) => volume?.name ?? '')
    const dead = await deadIdentity()
    for (const [place, name] of names.entries()) if (place !== 1) writeFileSync(join(store.folderOf(name), 'pending'), dead)
    store.confirm(names[2] ?? '')
    users.push({ container: CONTAINER, volumes: [names[3] ?? ''] })
    await store.removeAbandoned()
    assert.equal(new Set(store.list().map(({ name }) => name)), new Set(names.slice(1)))
  }),
)

native('a volume goes with its container, also when who removes it is killed in between, and stays with another', () =>
  withVolumes(async ({ store, users }) => {
    const { name } = await store.createAnonymous()
    const shared = await store.createAnonymous()
    users.push({ container: CONTAINER, volumes: [name, shared.name] }, { container: 'd'.repeat(64), volumes: [shared.name] })
    const pending = () => [name, shared.name].map((each) => existsSync(join(store.folderOf(each), 'pending')))
    await store.removeWith([name, shared.name], () => Promise.reject(new Error('stuck'))).catch(() => {})
    assert.equal(pending(), [false, false])
    await store.removeWith([name, shared.name, 'nothing'], async () => {
      assert.equal(pending(), [true, true], 'who comes after a kill here knows')
      users.shift()
    })
    assert.equal([store.list().map((volume) => volume.name), pending()], [[shared.name], [false, false]])
  }),
)

native(
  'whatever is done in whatever order, the store holds what a map of names would',
  () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            action: fc.constantFrom('create', 'anonymous', 'use', 'free', 'remove', 'prune', 'prune all', 'remove unused'),
            name: fc.constantFrom('aa', 'bb', 'cc'),
          }),
          { maxLength: 25 },
        ),
        (steps) =>
          withVolumes(async ({ store, users, another }) => {
            const model = new Map<string, { readonly anonymous: boolean }>()
            const used = () => new Set(users.flatMap(({ volumes }) => volumes))
            const forget = (matches: (name: string) => boolean) => {
              for (const name of [...model.keys()]) if (!used().has(name) && matches(name)) model.delete(name)
            }
            for (const { action, name } of steps) {
              if (action === 'create') {
                await another().create({ name })
                if (!model.has(name)) model.set(name, { anonymous: false })
              } else if (action === 'anonymous') model.set((await store.createAnonymous()).name, { anonymous: true })
              else if (action === 'use' && model.has(name)) users.push({ container: CONTAINER, volumes: [name] })
              else if (action === 'free') users.pop()
              else if (action === 'prune' || action === 'prune all') {
                const before = [...model.keys()]
                forget((each) => action === 'prune all' || model.get(each)?.anonymous === true)
                const { names } = await store.prune({ all: action === 'prune all' })
                assert.equal([...names].sort(), before.filter((each) => !model.has(each)).sort())
              } else if (action === 'remove') {
                const answer = await store.remove(name).then(() => 'removed', codeOf)
                assert.is(answer, !model.has(name) ? 'VOLUME_NOT_FOUND' : used().has(name) ? 'CONFLICT' : 'removed')
                forget((each) => each === name)
              } else if (action === 'remove unused') {
                await store.removeUnused([name, 'nothing'])
                forget((each) => each === name)
              }
              assert.equal(
                another()
                  .list()
                  .map((volume) => [volume.name, volume.anonymous]),
                [...model].sort(([one], [other]) => (one < other ? -1 : 1)).map(([each, { anonymous }]) => [each, anonymous]),
              )
            }
          }),
      ),
      { numRuns: 25 },
    ),
  { timeoutMs: 120_000 },
)

test.run()
