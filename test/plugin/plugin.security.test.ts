import { readdirSync, readFileSync } from 'node:fs'
import binaryen from 'binaryen'
import * as assert from 'uvu/assert'
import type { EngineError } from '../../src/index.js'
import { moduleFunctions } from '../../src/plugin/signatures.js'
import { eventually } from '../support/launcher-box.js'
import { ECHO, hostImport, LOOP, pluginModule, withPlugin } from '../support/plugins.js'
import { rejection } from '../support/rejection.js'
import { WASM } from '../support/requirements.js'
import { SEED } from '../support/seed.js'
import { randomFrom } from '../support/soak.js'
import { suite } from '../support/suite.js'
import { wat } from '../support/wat.js'

const test = suite('plugin/plugin.security')
const HOSTILE = pluginModule(
  `${ECHO} ${LOOP}
  (table $table (export "table") 1 funcref)
  (func (export "memory-bomb") (result i32)
    (loop $again (br_if $again (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) (unreachable))
  (func (export "table-bomb") (result i32) (table.grow $table (ref.null func) (i32.const 100000000)))
  (func $recurse (export "recurse") (param i32) (result i32) (i32.add (i32.const 1) (call $recurse (i32.add (local.get 0) (i32.const 1)))))
  (func (export "divide") (param i32) (result i32) (i32.div_s (i32.const 1) (local.get 0)))
  (func (export "point") (param i32 i32) (result i64)
    (i64.or (i64.shl (i64.extend_i32_u (i32.load (local.get 0))) (i64.const 32)) (i64.extend_i32_u (i32.load offset=4 (local.get 0)))))
  (func (export "poke") (param i32 i32) (result i64) (call $seen (local.get 0) (local.get 1)))
  (func (export "seen") (param i32 i32) (result i64) (drop (call $seen (local.get 0) (local.get 1)))
    (i64.or (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 32)) (i64.extend_i32_u (local.get 1))))
  (func (export "store") (param i32 i32) (i32.store (local.get 0) (local.get 1)))
  (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))`,
  { imports: hostImport('seen') },
)

const seen = () => {}

test.needs(WASM)('bombs and traps are errors of their calls, and the next call is answered', () =>
  withPlugin({ bytes: HOSTILE, hostFunctions: { seen }, limits: { memoryBytes: 2 ** 21 } }, async (plugin) => {
    assert.match((await rejection(plugin.call('memory-bomb', []), 'LIMIT_EXCEEDED')).message, '32 of at most 32 pages')
    assert.is(await plugin.call('table-bomb', []), -1)
    assert.match((await rejection(plugin.call('recurse', [0]), 'GUEST_TRAPPED')).message, 'call stack exhausted')
    await rejection(plugin.call('divide', [0]), 'GUEST_TRAPPED')
    await rejection(plugin.call('loop', '', { timeoutMs: 50 }), 'DEADLINE_EXCEEDED')
    assert.is(await plugin.call('echo', 'still here'), 'still here')
  }),
)

test.needs(WASM)('a result that lies outside of the memory, or is too long, is no result', () =>
  withPlugin({ bytes: HOSTILE, hostFunctions: { seen }, limits: { outputBytes: 1000 } }, async (plugin) => {
    const point = (pointer: number, length: number) => {
      const bytes = Buffer.alloc(8)
      bytes.writeUInt32LE(pointer, 0)
      bytes.writeUInt32LE(length, 4)
      return plugin.call('point', bytes)
    }
    await rejection(point(65_536, 1), 'INVALID_RESULT')
    await rejection(point(65_535, 2), 'INVALID_RESULT')
    await rejection(point(0xffff_ffff, 1), 'INVALID_RESULT')
    await rejection(point(0, 1001), 'LIMIT_EXCEEDED')
    await rejection(point(0, 0xffff_ffff), 'LIMIT_EXCEEDED')
    assert.is((await point(65_535, 1)).length, 1)
    assert.is((await point(0xffff_ffff, 0)).length, 0)
    await rejection(plugin.call('echo', Buffer.alloc(1001)), 'LIMIT_EXCEEDED')
  }),
)

test.needs(WASM)('text that is no UTF-8 is no result of a text', () =>
  withPlugin(
    { bytes: pluginModule('(func (export "bad") (param i32 i32) (result i64) (i64.const 1)) (data (i32.const 0) "\\ff")') },
    async (plugin) => {
      assert.match((await rejection(plugin.call('bad', ''), 'INVALID_RESULT')).message, 'no valid UTF-8')
      assert.equal([...(await plugin.call('bad', Buffer.alloc(0)))], [0xff])
    },
  ),
)

test.needs(WASM)('an allocate that lies is no place for an input', async () => {
  const lying = (allocate: string) => wat(`(module (memory (export "memory") 1) ${allocate} ${ECHO})`)
  for (const [bytes, code] of [
    [lying('(func (export "allocate") (param i32) (result i32) (i32.const 65535))'), 'INVALID_RESULT'],
    [lying('(func (export "allocate") (param i32) (result i32) (i32.const -1))'), 'INVALID_RESULT'],
    [lying('(func (export "allocate") (param i32) (result i64) (i64.const 0))'), 'INVALID_RESULT'],
    [lying(''), 'FUNCTION_NOT_FOUND'],
  ] as const)
    await withPlugin({ bytes }, async (plugin) => {
      await rejection(plugin.call('echo', 'text'), code)
    })
})

test.needs(WASM)('whatever pointers a host function is called with, it sees bytes of the plugin’s memory only', async () => {
  const lengths: number[] = []
  const seenBytes = (input: Uint8Array) => void lengths.push(input.length)
  await withPlugin({ bytes: HOSTILE, hostFunctions: { seen: seenBytes } }, async (plugin) => {
    const edges = [0, 1, 1024, 65_535, 65_536, 65_537, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1]
    for (const pointer of edges)
      for (const length of edges) {
        const before = lengths.length
        const fits = pointer + length <= 65_536
        const code = await plugin.call<bigint>('poke', [pointer, length]).then(
          () => null,
          (error: EngineError) => error.code,
        )
        assert.is(code, fits ? null : 'INVALID_RESULT', `${length} at ${pointer}`)
        assert.is(lengths.length - before, fits ? 1 : 0)
        if (fits) assert.is(lengths.at(-1), length)
      }
  })
})

test.needs(WASM)('nothing of one plugin, or of one fresh call, is in the memory of another', async () => {
  const options = { bytes: HOSTILE, hostFunctions: { seen } }
  await withPlugin({ ...options, instances: 'kept' }, (one) =>
    withPlugin({ ...options, instances: 'kept' }, async (other) => {
      await one.call<undefined>('store', [4096, 0x5ec2e7])
      assert.is(await one.call('load', [4096]), 0x5ec2e7)
      assert.is(await other.call('load', [4096]), 0)
    }),
  )
  await withPlugin(options, async (plugin) => {
    await plugin.call<undefined>('store', [4096, 0x5ec2e7])
    assert.is(await plugin.call('load', [4096]), 0)
  })
})

test.needs(WASM)('a sandbox that is killed takes its call along, and the next call finds another', () =>
  withPlugin({ bytes: HOSTILE, hostFunctions: { seen } }, async (plugin) => {
    // The sandbox's launcher may be a child of this process's spawner.
    const before = descendants()
    const call = rejection(plugin.call('loop', ''), 'SANDBOX_FAILED')
    for (const pid of before) process.kill(pid, 'SIGKILL')
    await call
    assert.is(await plugin.call('echo', 'from another'), 'from another')
  }),
)

test.needs(WASM)('a sandbox that is stopped (SIGSTOP) keeps the calls that wait for it only for a while', () =>
  withPlugin({ bytes: HOSTILE, hostFunctions: { seen } }, async (plugin) => {
    assert.is(await plugin.call('echo', 'before'), 'before')
    // The guest's own process: what is around it is ours, and guests cannot reach it.
    const stopped = descendants().filter((pid) => children(pid).length === 0)
    assert.ok(stopped.length > 0)
    for (const pid of stopped) process.kill(pid, 'SIGSTOP')
    await eventually('the sandbox is stopped', () => stopped.every((pid) => / T /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))))
    const late = rejection(plugin.call('echo', 'lost', { timeoutMs: 50 }), 'DEADLINE_EXCEEDED')
    const next = plugin.call('echo', 'from another')
    assert.equal(await Promise.all([late.then(() => 'late'), next]), ['late', 'from another'])
  }),
)

test.needs(WASM)('an answer that comes after the deadline is not the next call’s', async () => {
  let release = (_text: string): void => {}
  let asked = 0
  const late = () => (asked++ === 0 ? new Promise<string>((resolve) => (release = resolve)) : `answer ${asked}`)
  const bytes = pluginModule('(func (export "ask") (param i32 i32) (result i64) (call $late (local.get 0) (local.get 1)))', {
    imports: hostImport('late'),
  })
  await withPlugin({ bytes, hostFunctions: { late } }, async (plugin) => {
    await rejection(plugin.call('ask', '', { timeoutMs: 30 }), 'DEADLINE_EXCEEDED')
    const next = plugin.call('ask', '')
    release('late')
    assert.is(await next, `answer ${asked}`)
  })
})

test.needs(WASM)('a guest that catches whatever ends it is ended all the same, in its loop and in what it calls', () => {
  const stubborn = pluginModule(
    `${ECHO} (func (export "stubborn") (param i32 i32) (result i64)
      (loop $again (try (do (loop $inner (br $inner))) (catch_all)) (br $again)) (unreachable))
    (func (export "caller") (param i32 i32) (result i64)
      (loop $again (try (do (drop (call $yield))) (catch_all)) (br $again)) (unreachable))
    (func (export "count") (result i32) (i32.store (i32.const 0) (i32.add (i32.const 1) (i32.load (i32.const 0)))) (i32.load (i32.const 0)))`,
    { imports: '(import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))', features: binaryen.Features.All },
  )
  return withPlugin({ bytes: stubborn }, async (plugin) => {
    const kept = await plugin.instance()
    for (let round = 1; round <= 5; round++) {
      await rejection(plugin.call('stubborn', '', { timeoutMs: 20 }), 'DEADLINE_EXCEEDED')
      await rejection(plugin.call('caller', '', { timeoutMs: 20 }), 'DEADLINE_EXCEEDED')
      assert.is(await kept.call('count', []), round)
    }
  })
})

test.needs(WASM)('whenever a call is stopped, what it was on the way to do is the failure of no other', () =>
  withPlugin({ bytes: HOSTILE, hostFunctions: { seen } }, async (plugin) => {
    const kept = await plugin.instance()
    await kept.call<undefined>('store', [4096, SEED])
    const random = randomFrom(SEED)
    for (let round = 0; round < 200; round++) {
      const stop = new AbortController()
      const name = random.pick(['echo', 'loop', 'seen'])
      const text = `${round} `.padEnd(random.pick([10, 60_000]), 'x')
      const call = plugin.call(name, text, { signal: stop.signal }).then(
        (answer) => answer,
        (error: EngineError) => error.code,
      )
      for (let turns = random.below(6); turns > 0; turns--) await new Promise(setImmediate)
      stop.abort()
      assert.ok(['ABORTED', text].includes(await call), `seed ${SEED}, round ${round}`)
      if (round % 10 === 0) assert.is(await kept.call('load', [4096]), SEED, `seed ${SEED}, round ${round}`)
    }
  }),
)

test('a module whose types would fill the memory of whoever reads them is refused', () => {
  const leb = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, ...leb(value >>> 7)])
  const typesOf = (count: number, parameters: number) => {
    const type = Buffer.concat([Buffer.from([0x60, ...leb(parameters)]), Buffer.alloc(parameters, 0x7f), Buffer.from([0])])
    const section = Buffer.concat([Buffer.from(leb(count)), ...Array.from({ length: count }, () => type)])
    return Buffer.concat([Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, ...leb(section.length)]), section])
  }
  // A module's own limit is 1000 of each.
  assert.is(moduleFunctions(typesOf(999, 1000)).exports.size, 0)
  for (const [count, parameters] of [
    [1, 1_000_001],
    [2, 600_000],
    [1001, 1000],
  ] as const)
    assert.throws(() => moduleFunctions(typesOf(count, parameters)), /values|a list of/)
})

/** Processes that this one has started and that still are: launchers, or sandboxes without a wall. */
function children(of = process.pid): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        return Number(/\) \S (\d+)/.exec(readFileSync(`/proc/${name}/stat`, 'latin1'))?.[1]) === of
      } catch {
        return false
      }
    })
    .map(Number)
}

/** Those, and what they have started in turn. */
function descendants(of = process.pid): number[] {
  return children(of).flatMap((pid) => [pid, ...descendants(pid)])
}

test.run()
