import * as assert from 'uvu/assert'
import { deferred } from '../../src/launcher/deferred.js'
import { ECHO, hostImport, LOOP, pluginModule, withPlugin } from '../support/plugins.js'
import { rejection } from '../support/rejection.js'
import { WASM } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('plugin/pool')

const MODULE = pluginModule(
  `${ECHO} ${LOOP} (func (export "wait") (param i32 i32) (result i64) (call $hold (local.get 0) (local.get 1)))`,
  { imports: hostImport('hold') },
)

/** A host function that answers when it is told to, and tells when it is asked. */
function gate() {
  const opened = deferred<void>()
  const asked: string[] = []
  const waiting = new Map<number, () => void>()
  return {
    open: () => opened.resolve(),
    asked,
    /** Resolves when so many have asked. */
    until: (count: number) => new Promise<void>((resolve) => (asked.length >= count ? resolve() : waiting.set(count, resolve))),
    hold: async (input: Uint8Array) => {
      asked.push(Buffer.from(input).toString())
      waiting.get(asked.length)?.()
      await opened.promise
      return input
    },
  }
}

test.needs(WASM)('as many calls run at once as there are threads, the others in order after them', async () => {
  const { open, asked, until, hold } = gate()
  await withPlugin({ bytes: MODULE, threads: 2, hostFunctions: { hold } }, async (plugin) => {
    const calls = ['a', 'b', 'c', 'd'].map((text) => plugin.call('wait', text))
    await until(2)
    assert.equal([...asked].sort(), ['a', 'b'])
    open()
    assert.equal(await Promise.all(calls), ['a', 'b', 'c', 'd'])
  })
})

test.needs(WASM)('more calls than may wait are refused, and room() waits until one would not be', async () => {
  const { open, until, hold } = gate()
  await withPlugin({ bytes: MODULE, queue: 1, hostFunctions: { hold } }, async (plugin) => {
    await plugin.room()
    const calls = [plugin.call('wait', 'running')]
    await until(1)
    calls.push(plugin.call('wait', 'waiting'))
    assert.match((await rejection(plugin.call('wait', 'refused'), 'LIMIT_EXCEEDED')).hint ?? '', 'plugin.room()')
    const room = plugin.room()
    open()
    await room
    assert.is(await plugin.call('echo', 'now'), 'now')
    assert.equal(await Promise.all(calls), ['running', 'waiting'])
  })
})

test.needs(WASM)('a call that is aborted while it waits, or while it runs, rejects and harms no other', async () => {
  const { open, until, hold } = gate()
  await withPlugin({ bytes: MODULE, hostFunctions: { hold } }, async (plugin) => {
    const [running, waiting] = [new AbortController(), new AbortController()]
    const first = rejection(plugin.call('wait', 'first', { signal: running.signal }), 'ABORTED')
    await until(1)
    const second = rejection(plugin.call('wait', 'second', { signal: waiting.signal }), 'ABORTED')
    const third = plugin.call('echo', 'third')
    waiting.abort()
    await second
    running.abort()
    await first
    assert.is(await third, 'third')
    await rejection(plugin.call('echo', '', { signal: AbortSignal.abort() }), 'ABORTED')
    open()
  })
})

test.needs(WASM)('a deadline ends a loop, and its thread is replaced, again and again', () =>
  withPlugin({ bytes: MODULE, threads: 2, hostFunctions: { hold: () => {} } }, async (plugin) => {
    for (let round = 0; round < 3; round++) {
      const loops = [0, 1].map(() => rejection(plugin.call('loop', '', { timeoutMs: 20 }), 'DEADLINE_EXCEEDED'))
      await Promise.all(loops)
      assert.equal(await Promise.all([plugin.call('echo', 'a'), plugin.call('echo', 'b')]), ['a', 'b'])
    }
    await rejection(plugin.call('echo', '', { timeoutMs: 0 }), 'INVALID_ARGUMENT')
  }),
)

test.needs(WASM)('closing ends what runs and what waits', async () => {
  const { until, hold } = gate()
  await withPlugin({ bytes: MODULE, hostFunctions: { hold } }, async (plugin) => {
    const first = rejection(plugin.call('wait', 'first'), 'SANDBOX_FAILED')
    await until(1)
    const second = rejection(plugin.call('wait', 'second'), 'CONFLICT')
    await plugin.close()
    await Promise.all([first, second])
    await rejection(plugin.call('echo', ''), 'CONFLICT')
    await plugin.close()
  })
})

test.needs(WASM)('room() that nobody takes is told to the next who waits', async () => {
  const { open, until, hold } = gate()
  await withPlugin({ bytes: MODULE, queue: 0, hostFunctions: { hold } }, async (plugin) => {
    const running = plugin.call('wait', 'running')
    await until(1)
    const rooms = [plugin.room(), plugin.room(), plugin.room()]
    open()
    await Promise.all([running, ...rooms])
  })
})

test.needs(WASM)('whoever keeps one result of a batch keeps the bytes of no other', () =>
  withPlugin({ bytes: MODULE, hostFunctions: { hold: gate().hold } }, async (plugin) => {
    const [first] = await plugin.batch('echo', [Buffer.from('a'), Buffer.alloc(30_000)])
    assert.is(first?.buffer.byteLength, 1)
  }),
)

test.run()
