import * as assert from 'uvu/assert'
import type { EngineError } from '../../src/index.js'
import { deferred } from '../../src/launcher/deferred.js'
import { ECHO, hostImport, LOOP, pluginModule, withPlugin } from '../support/plugins.js'
import { rejection } from '../support/rejection.js'
import { WASM } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('plugin/instances')

const COUNTER = `
  (global $count (mut i32) (i32.const 0))
  (func (export "add") (param i32) (result i32)
    (global.set $count (i32.add (global.get $count) (local.get 0))) (global.get $count))
  (func (export "store") (param i32 i32) (i32.store (local.get 0) (local.get 1)))
  (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))
  (func (export "trap") (unreachable))`
const SLEEP = `
  (func (export "sleep") (param $ms i64) (result i32)
    (i64.store (i32.const 512) (i64.const 0))
    (i64.store (i32.const 520) (i64.const 0))
    (i32.store (i32.const 528) (i32.const 1))
    (i64.store (i32.const 536) (i64.mul (local.get $ms) (i64.const 1000000)))
    (i64.store (i32.const 544) (i64.const 0))
    (i64.store (i32.const 552) (i64.const 0))
    (call $poll (i32.const 512) (i32.const 600) (i32.const 1) (i32.const 700)))`
const POLL = '(import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))'
const bytes = pluginModule(`${ECHO} ${LOOP} ${COUNTER}`)

test.needs(WASM)('a thousand instances in one thread have each its own memory and globals', () =>
  withPlugin({ bytes }, async (plugin) => {
    const instances = []
    for (let place = 0; place < 1000; place++) instances.push(await plugin.instance())
    await Promise.all(instances.map((instance, place) => instance.call<undefined>('store', [4096, place])))
    await Promise.all(instances.map((instance, place) => instance.call('add', [place])))
    assert.equal(await Promise.all(instances.map((instance) => instance.call('load', [4096]))), [...instances.keys()])
    assert.equal(
      await Promise.all(instances.map((instance) => instance.call('add', [1]))),
      [...instances.keys()].map((place) => place + 1),
    )
    assert.match((await rejection(plugin.instance(), 'LIMIT_EXCEEDED')).hint ?? '', 'instancesPerThread')
    assert.is(await plugin.call('add', [5]), 5, 'and a call of the plugin finds none of them')
  }),
)

test.needs(WASM)('a deadline, an abort and a trap are the end of one instance, and of no other in its thread', async () => {
  const begun = deferred<string>()
  const module = pluginModule(
    `${LOOP} ${COUNTER} (func (export "tell") (param i32 i32) (result i64)
    (drop (call $begin (local.get 0) (local.get 1))) (loop $again (br $again)) (unreachable))`,
    { imports: hostImport('begin') },
  )
  await withPlugin({ bytes: module, hostFunctions: { begin: { text: begun.resolve } } }, async (plugin) => {
    const [kept, looping, stopped, trapping] = await Promise.all([1, 2, 3, 4].map(() => plugin.instance()))
    if (!kept || !looping || !stopped || !trapping) throw new Error('there are four')
    assert.is(await kept.call('add', [41]), 41)
    const stop = new AbortController()
    const call = rejection(stopped.call('tell', 'begun', { signal: stop.signal }), 'ABORTED')
    const behind = rejection(stopped.call('add', [1]), 'INSTANCE_LOST')
    await begun.promise
    stop.abort()
    await Promise.all([call, behind])
    await rejection(looping.call('loop', '', { timeoutMs: 30 }), 'DEADLINE_EXCEEDED')
    await rejection(trapping.call<undefined>('trap', []), 'GUEST_TRAPPED')
    for (const [instance, code] of [
      [looping, 'DEADLINE_EXCEEDED'],
      [stopped, 'ABORTED'],
      [trapping, 'GUEST_TRAPPED'],
    ] as const) {
      const lost = await rejection(instance.call('add', [1]), 'INSTANCE_LOST')
      assert.is((lost.cause as EngineError).code, code)
      await instance.close()
    }
    await rejection(kept.call('add', [1], { signal: AbortSignal.abort() }), 'ABORTED')
    assert.is(await kept.call('add', [1]), 42, 'also when a call of it was given up before it began')
  })
})

test.needs(WASM)('a guest that sleeps, or waits for a host function, is stopped, and the others of its thread stay', async () => {
  const module = pluginModule(
    `${COUNTER} ${SLEEP} (func (export "wait") (param i32 i32) (result i64) (call $never (local.get 0) (local.get 1)))`,
    {
      imports: POLL + hostImport('never'),
    },
  )
  const never = () => new Promise<string>(() => {})
  await withPlugin({ bytes: module, hostFunctions: { never } }, async (plugin) => {
    const kept = await plugin.instance()
    await kept.call('add', [7])
    const [sleeping, waiting] = await Promise.all([plugin.instance(), plugin.instance()])
    assert.is(await sleeping.call('sleep', [1n]), 0)
    await rejection(sleeping.call('sleep', [3_600_000n], { timeoutMs: 30 }), 'DEADLINE_EXCEEDED')
    await rejection(waiting.call('wait', '', { timeoutMs: 30 }), 'DEADLINE_EXCEEDED')
    await rejection(sleeping.call('sleep', [1n]), 'INSTANCE_LOST')
    await rejection(waiting.call('wait', ''), 'INSTANCE_LOST')
    assert.is(await kept.call('add', [1]), 8)
  })
})

test.needs(WASM)('an instance is in one thread, whose calls it waits for, and instances spread over the threads', () =>
  withPlugin({ bytes, threads: 2, instancesPerThread: 1 }, async (plugin) => {
    const [one, other] = [await plugin.instance(), await plugin.instance()]
    await rejection(plugin.instance(), 'LIMIT_EXCEEDED')
    const busy = rejection(one.call('loop', '', { timeoutMs: 500 }), 'DEADLINE_EXCEEDED')
    const order: string[] = []
    const behind = rejection(one.call('add', [1]), 'INSTANCE_LOST').then(() => order.push('behind'))
    const beside = other.call('add', [1]).then(() => order.push('beside'))
    await Promise.all([busy, behind, beside])
    assert.equal(order, ['beside', 'behind'])
    await one.close()
    await using again = await plugin.instance()
    assert.is(await again.call('add', [2]), 2)
  }),
)

test.needs(WASM)('an instance is initialised once, may begin at a snapshot, has fuel for each call, and is closed', () =>
  withPlugin(
    {
      bytes: pluginModule(`${COUNTER} (func (export "_initialize") (global.set $count (i32.const 100)))`),
      snapshot: true,
      limits: { fuel: 10_000 },
    },
    async (plugin) => {
      const instance = await plugin.instance()
      const left: number[] = []
      const onFuel = (fuel: number) => void left.push(fuel)
      assert.equal(await instance.batch('add', [[1], [1]], { onFuel }), [101, 102])
      assert.is(await instance.call('add', [1], { onFuel }), 103)
      assert.ok((left[0] ?? 0) < (left[1] ?? 0) && (left[1] ?? 0) < 10_000)
      await rejection(instance.call('nothing', []), 'FUNCTION_NOT_FOUND')
      await rejection(instance.call('add', 'text'), 'INVALID_ARGUMENT')
      assert.is(await instance.call('add', [1]), 104, 'what was not made harms nothing')
      const last = instance.call('add', [1])
      await Promise.all([instance.close(), instance.close()])
      assert.is(await last, 105)
      await rejection(instance.call('add', [1]), 'CONFLICT')
    },
  ),
)

test.run()
