import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { EngineError } from '../../src/errors.js'
import { reveal } from '../../src/wasm/instrument/reveal.js'
import { prepareModule } from '../../src/wasm/module.js'
import type { ModuleLimits } from '../../src/wasm/module-bounds.js'
import { suite } from '../support/suite.js'
import { guestBytes } from '../support/wasm-wall.js'
import { wat } from '../support/wat.js'

const LIMITS = { memoryPages: 16, tableElements: 100 }
const test = suite('wasm/module')

function refusal(bytes: Uint8Array, limits: ModuleLimits = LIMITS): EngineError {
  try {
    prepareModule(bytes, limits)
  } catch (error) {
    if (error instanceof EngineError) return error
    throw error
  }
  return assert.unreachable('it was not refused') as never
}

test('maxima of memory and tables are written into the binary, and the engine keeps to them', () => {
  const module = wat(`(module
    (memory (export "memory") 1) (table $small 1 funcref) (table $large 2 1000000 funcref)
    (func (export "grow") (result i32) (memory.grow (i32.const 15)))
    (func (export "beyond") (result i32) (memory.grow (i32.const 1)))
    (func (export "table") (result i32) (table.grow $small (ref.null func) (i32.const 99)))
    (func (export "table2") (result i32) (table.grow $small (ref.null func) (i32.const 1))))`)
  const prepared = prepareModule(module, { memoryPages: 16, tableElements: 1_000_100 })
  assert.is(prepared.memoryPagesMaximum, 16)
  assert.is(prepared.tableElementsMaximum, 1_000_100)
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(prepareModule(module, { memoryPages: 16, tableElements: 102 }).bytes))
  const call = (name: string) => (exports[name] as () => number)()
  assert.equal([call('grow'), call('beyond')], [1, -1])
  assert.equal([call('table'), call('table2')], [1, -1])
})

test('a module within its limits is compiled as it is', () => {
  const module = wat('(module (memory 1 2))')
  assert.is(prepareModule(module, LIMITS).bytes, module)
})

test('a module that starts above its limits is refused by name', () => {
  assert.is(refusal(wat('(module (memory 17))')).code, 'LIMIT_EXCEEDED')
  assert.is(refusal(wat('(module (table 101 funcref))')).code, 'LIMIT_EXCEEDED')
})

test('an import that nothing provides is named, with what would provide it', () => {
  const error = refusal(wat('(module (import "wasi_unstable" "fd_write" (func)))'))
  assert.is(error.code, 'COMMAND_NOT_EXECUTABLE')
  assert.match(error.message, 'wasi_unstable.fd_write')
  assert.match(error.hint ?? '', 'preview 0')
  assert.match(refusal(wat('(module (import "env" "memory" (memory 1 1)))')).hint ?? '', 'threads')
  assert.match(refusal(wat('(module (import "wasi_snapshot_preview1" "fd_fly" (func)))')).message, 'fd_fly')
})

test('a memory is imported to be shared by threads or not at all, also by a name that is something else’s', () => {
  const memory = (shared: string, name = 'fd_write') => wat(`(module (import "wasi_snapshot_preview1" "${name}" (memory 1 1 ${shared})))`)
  assert.match(refusal(memory('')).message, 'wasi_snapshot_preview1.fd_write as a memory')
  assert.equal(prepareModule(memory('shared'), LIMITS).sharedMemory, { initial: 1, maximum: 1 })
  const plugin = { isProgram: false, provided: new Set(['wasi_snapshot_preview1.mine']) }
  for (const shared of ['', 'shared'])
    assert.throws(
      () => prepareModule(memory(shared, 'mine'), LIMITS, plugin),
      (error: Error) => /mine as a memory/.test(error.message),
    )
})

test('names of imports and exports are told apart by a byte order mark', () => {
  const mark = String.fromCharCode(0xfeff)
  assert.match(refusal(moduleOf(2, [1, ...named(`${mark}wasi_snapshot_preview1`), ...named('fd_write'), 0, 0])).message, `${mark}wasi`)
  const exported = [...named(`${mark}m`), 2, 0, ...named('m'), 3, 0]
  const module = Buffer.concat([
    moduleOf(5, [1, 0, 1]),
    moduleOf(6, [1, 0x7f, 0, 0x41, 0, 0x0b]).subarray(8),
    moduleOf(7, [2, ...exported]).subarray(8),
  ])
  assert.is(reveal(Uint8Array.from(module)).state.memory, `${mark}m`)
})

test('what is not a core module is refused', () => {
  assert.match(refusal(Buffer.from('#!/bin/sh\n')).message, 'not a WebAssembly module')
  assert.match(refusal(Uint8Array.of(0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0)).message, 'component')
  assert.match(refusal(Uint8Array.of(0, 0x61, 0x73, 0x6d, 2, 0, 0, 0)).message, 'version')
  assert.match(refusal(wat('(module (memory 1 1 shared))')).message, 'shared')
})

test('a binary cut off or changed anywhere is refused or compiles, and nothing else happens', () => {
  const whole = guestBytes('hello')
  for (let length = 0; length < whole.length; length += 97) {
    const cut = whole.slice(0, length)
    const changed = whole.slice()
    changed[length] = (changed[length] ?? 0) ^ 0xff
    for (const bytes of [cut, changed]) {
      try {
        prepareModule(bytes, LIMITS)
      } catch (error) {
        assert.instance(error, EngineError)
      }
    }
  }
})

test('a section bomb costs no more than its bytes, and a section that comes twice is refused', () => {
  const zeros = new Uint8Array(100 * 2 ** 20)
  zeros.set(moduleOf(0, []).subarray(0, 8))
  const before = process.memoryUsage()
  const started = performance.now()
  assert.is(prepareModule(zeros, LIMITS).bytes, zeros)
  assert.ok(performance.now() - started < 10_000)
  assert.ok(process.memoryUsage().heapUsed - before.heapUsed < 100 * 2 ** 20)
  const memory = moduleOf(5, [1, 0, 1])
  assert.match(refusal(Buffer.concat([memory, memory.subarray(8)])).message, 'comes twice')
})

function named(name: string): number[] {
  const bytes = Buffer.from(name)
  return [...leb(bytes.length), ...bytes]
}

/** A function of so many locals, blocks nested into one another, a value for each of them set, and values left lying on the stack. */
function bombOf({ locals = 0, blocks = 0, stack = 0, block = [0x03, 0x40] as readonly number[] }): Uint8Array {
  const repeat = (count: number, bytes: readonly number[]) => Array.from({ length: count }, () => bytes).flat()
  const code = [1, ...leb(locals), 0x7f].concat(
    repeat(stack, [0x41, 0]),
    repeat(blocks, block),
    Array.from({ length: locals }, (_, place) => [0x41, place & 63, 0x21, ...leb(place)]).flat(),
    repeat(blocks, [0x0b]),
    repeat(stack, [0x1a]),
    [0x0b],
  )
  const sections = [
    [1, [1, 0x60, 0, 0]],
    [3, [1, 0]],
    [10, [1, ...leb(code.length)].concat(code)],
  ] as const
  return Buffer.concat(sections.map(([id, contents], place) => moduleOf(id, contents).subarray(place === 0 ? 0 : 8)))
}

test('a compile bomb of locals, of values on the stack or of block types is refused, a lesser one never optimised', () => {
  for (const bomb of [
    { locals: 5000, blocks: 10_000 },
    { stack: 5000, blocks: 10_000 },
    { locals: 5000, blocks: 10_000, block: [0x02, 0] },
  ]) {
    const bytes = bombOf(bomb)
    assert.is(refusal(bytes).code, 'LIMIT_EXCEEDED')
    // V8 would have taken it.
    assert.ok(new WebAssembly.Module(bytes))
  }
  assert.is(prepareModule(bombOf({ locals: 1000, blocks: 1000 }), LIMITS).compiler, 'baseline')
  assert.is(prepareModule(bombOf({ locals: 100, blocks: 1000 }), LIMITS).compiler, 'optimizing')
  assert.match(refusal(bombOf({ locals: 1000, blocks: 1000, block: [0xfb, 0] })).message, /instruction .* 0xfb/)
})

test('CPython is compiled as ever', () => {
  const python = readFileSync(join('node_modules', '@antonz', 'python-wasi', 'dist', 'python.wasm'))
  assert.is(prepareModule(python, { memoryPages: 65_536, tableElements: 1_000_000 }).compiler, 'both')
})

test('what is not rewritten stands as it was, around what is', () => {
  const custom = moduleOf(0, [3, 0x61, 0x62, 0x63])
  const whole = Buffer.concat([
    custom,
    moduleOf(4, [1, 0x70, 0, 1]).subarray(8),
    custom.subarray(8),
    moduleOf(5, [1, 0, 1]).subarray(8),
    custom.subarray(8),
  ])
  const { bytes } = prepareModule(whole, LIMITS)
  assert.is(Buffer.from(bytes).toString('latin1').split('\x03abc').length, 4)
  assert.ok(new WebAssembly.Module(bytes))
})

/** A module of one section with these contents, whatever they are. */
function moduleOf(id: number, contents: readonly number[]): Uint8Array {
  return Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, id, ...leb(contents.length)].concat(contents))
}

function leb(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...leb(value >> 7)]
}

test('bombs of imports, memories and custom sections are taken or refused by name, and told of once', () => {
  const name = (text: string) => [text.length, ...Buffer.from(text)]
  const one = [...name('wasi_snapshot_preview1'), ...name('proc_exit'), 0, 0]
  const many = Array.from({ length: 130_000 }, () => one).flat()
  assert.equal(prepareModule(moduleOf(2, [...leb(130_000)].concat(many)), LIMITS).imports, ['wasi_snapshot_preview1.proc_exit'])
  const memories = (count: number) => [...leb(count)].concat(Array.from({ length: count }, () => [0, 0]).flat())
  assert.is(prepareModule(moduleOf(5, memories(100_000)), LIMITS).memoryPagesMaximum, 16)
  assert.match(refusal(moduleOf(5, memories(130_000))).message, '130000 tables or memories')
  assert.match(refusal(moduleOf(2, [0xff, 0xff, 0xff, 0xff, 0x0f])).message, 'too early')
  assert.match(refusal(moduleOf(2, [1, 0xff, 0xff, 0xff, 0xff, 0x0f])).message, 'a name of 4294967295 bytes')
  assert.match(refusal(moduleOf(2, [1, 0x7f])).message, 'longer than its section')
  const custom = moduleOf(0, [3, 0x61, 0x62, 0x63])
  const bomb = Buffer.concat([custom, ...Array.from({ length: 20_000 }, () => custom.subarray(8))])
  assert.equal(prepareModule(bomb, LIMITS).imports, [])
})

test('garbage-collected objects, which no maximum bounds, are refused by name', () => {
  for (const type of [
    [0x5f, 0],
    [0x5e, 0x7e, 1],
    [0x4e, 1, 0x5f, 0],
    [0x50, 0, 0x5f, 0],
  ])
    assert.match(refusal(moduleOf(1, [1, ...type])).message, 'garbage-collected')
  assert.equal(prepareModule(wat('(module (type (func (param i32 externref) (result f64))))'), LIMITS).imports, [])
})

test.run()
