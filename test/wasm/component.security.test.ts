/** What a component tries against its sandbox, one attack a test. */
import fc from 'fast-check'
import * as assert from 'uvu/assert'
import { messageOf } from '../../src/errors.js'
import { PROVIDED_INTERFACES } from '../../src/wasm/component/component-binary.js'
import { type ResourceReference, ResourceTable } from '../../src/wasm/component/resources.js'
import { type ComponentParts, runComponent } from '../../src/wasm/component/run-component.js'
import { Failure, Trap } from '../../src/wasm/component/trap.js'
import { type WasiInterface, wasiInterfaces } from '../../src/wasm/component/wasi.js'
import { GuestExit } from '../../src/wasm/preview1/host.js'
import { commandText, componentOfWat, componentText, componentWorld } from '../support/components.js'
import { filesOf } from '../support/preview1-guest.js'
import { rejection } from '../support/rejection.js'
import { suite } from '../support/suite.js'
import { guestBytes, withWasmWall } from '../support/wasm-wall.js'

const test = suite('wasm/component.security')
const MIB = 1024 * 1024
const MODULE = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0)

/** Runs JavaScript in the place of what jco makes, as if the transpiler could be talked into anything. What it throws is told as the trap's message. */
function runGlue(body: string): string {
  const glue = `export function instantiate(getCoreModule, imports, instantiateCore) { const tell = (text) => { throw new Error('told: ' + text) }; ${body} }`
  const parts: ComponentParts = {
    glue,
    modules: [{ name: 'core.wasm', bytes: MODULE, memoryPages: 0, tableElements: 0, fuelImport: null }],
    limits: { memoryPages: 1, tableElements: 1 },
    fuel: null,
  }
  const outcome = runComponent(parts, componentWorld())
  return outcome.kind === 'trap' ? outcome.message : `exit ${outcome.exitCode}`
}

test('JavaScript of a component finds nothing of Node in its global object', () => {
  for (const name of [
    'process',
    'require',
    'module',
    'Buffer',
    'fetch',
    'setTimeout',
    'queueMicrotask',
    'structuredClone',
    'importMetaUrl',
  ])
    assert.is(runGlue(`tell(typeof ${name} + typeof globalThis.${name})`), 'told: undefinedundefined', name)
})

const ESCAPE = `.constructor('return typeof process')()`
/** Each gives an object whose constructor's constructor would be the outer realm's Function. */
const WAYS_OUT: Readonly<Record<string, string>> = {
  'the global object': 'globalThis.constructor',
  'a function of WASI': `imports['wasi:random/random'].getRandomU64`,
  'an interface': `imports['wasi:random/random'].constructor`,
  'a list of bytes': `imports['wasi:random/random'].getRandomBytes(8n).constructor`,
  'the buffer of a list': `imports['wasi:random/random'].getRandomBytes(8n).buffer.constructor`,
  'a record': `imports['wasi:clocks/wall-clock'].now().constructor`,
  'a list': `imports['wasi:filesystem/preopens'].getDirectories().constructor`,
  'a resource': `imports['wasi:cli/stdout'].getStdout().constructor`,
  'the class of a resource': `imports['wasi:io/streams'].InputStream`,
  'a core module': `getCoreModule('core.wasm').constructor`,
  'what loads modules': 'getCoreModule',
  'an instance': `instantiateCore(getCoreModule('core.wasm'), {}).constructor`,
  'the arguments of the caller': `(function () { return arguments }).call().constructor`,
}
for (const [name, way] of Object.entries(WAYS_OUT))
  test(`JavaScript of a component does not come out by ${name}`, () => {
    const made = /constructor$/.test(way) ? `${way}.constructor` : way
    assert.match(runGlue(`tell((${made})${ESCAPE})`), /Code generation from strings disallowed|not a constructor/)
  })

for (const [name, call] of Object.entries({
  'a trap': `imports['wasi:io/streams'].InputStream.prototype.read.call({}, 1n)`,
  'an error for the guest': `imports['wasi:filesystem/preopens'].getDirectories()[0][0].openAt({}, 'x', {}, {})`,
  'a forged resource': `imports['wasi:filesystem/types'].Descriptor.prototype.stat.call(Object.create(imports['wasi:filesystem/types'].Descriptor.prototype))`,
  'a stack that is used up': `(function deeper() { try { imports['wasi:random/random'].getRandomBytes(1n) } finally { deeper() } })()`,
  'a module that is none': `getCoreModule('other.wasm')`,
}))
  test(`JavaScript of a component does not come out by the error of ${name}`, () => {
    const made = runGlue(`let error; try { ${call} } catch (caught) { error = caught }
      if (error === undefined) tell('nothing thrown')
      tell(error.constructor.constructor${ESCAPE})`)
    assert.match(made, 'Code generation from strings disallowed')
  })

/** What runs once the glue has laid hands on the realm's own parts: something of the outer realm's, if any comes by. */
const SNARES: Readonly<Record<string, string>> = {
  'the array of bytes that copies a list': `const Bytes = Uint8Array; globalThis.Uint8Array = function (given) { snare(given); return new Bytes(given) }`,
  'what tells a list': `const { isArray } = Array; Array.isArray = (given) => { snare(given); return isArray(given) }`,
  'what tells an array of bytes': `const { isView } = ArrayBuffer; ArrayBuffer.isView = (given) => { snare(given); return isView(given) }`,
  'what takes the arguments': `const { map } = Array.prototype; Array.prototype.map = function (each) { snare(each); return map.call(this, each) }`,
  'what keeps the references': `const { set } = WeakMap.prototype; WeakMap.prototype.set = function (key, value) { snare(value); return set.call(this, key, value) }`,
  'the iterator of lists': `const { next } = Object.getPrototypeOf([][Symbol.iterator]()); Object.getPrototypeOf([][Symbol.iterator]()).next = function () { snare(this); return next.call(this) }`,
  'a list with a map of its own': `const list = []; list.map = () => list; list.map = (each) => { snare(each); return list }; try { imports['wasi:io/poll'].poll(list) } catch {}`,
  'who writes the stack of an error': `Error.stackTraceLimit = 1000; Error.prepareStackTrace = (error, calls) => { snare(calls); for (const call of calls) { snare(call); snare(call.getThis()); snare(call.getFunction()) } }`,
  'who writes the stack of a RangeError': `RangeError.prepareStackTrace = (error, calls) => { snare(calls) }`,
}
for (const [name, laid] of Object.entries(SNARES))
  test(`JavaScript of a component does not come out by changing ${name}`, () => {
    const made = runGlue(`const RealmObject = Object.getPrototypeOf({}); const prototypeOf = Object.getPrototypeOf
      let caught = 'nothing'
      const snare = (given) => {
        let last = given
        if (given === null || (typeof given !== 'object' && typeof given !== 'function')) return
        for (let at = prototypeOf(given); at !== null; at = prototypeOf(at)) last = at
        if (last !== RealmObject && last !== given) caught = 'something'
      }
      const use = () => {
        for (const call of [
          () => imports['wasi:random/random'].getRandomBytes(8n),
          () => imports['wasi:filesystem/preopens'].getDirectories()[0][0].openAt({}, 'x', {}, {}),
          () => imports['wasi:clocks/wall-clock'].now(),
          () => imports['wasi:io/streams'].InputStream.prototype.read.call({}, 1n),
        ]) try { call() } catch (error) { void error.stack }
      }
      try { ${laid} } catch {}
      use()
      tell(caught)`)
    assert.is(made, 'told: nothing')
  })

test('JavaScript of a component does not come out by the error of a stack that is used up, wherever that is', () => {
  let overflows = 0
  for (const call of [
    'new TextDecoder().decode(new Uint8Array(1))',
    "new TextEncoder().encode('x')",
    "getCoreModule('core.wasm')",
    'instantiateCore(module, {})',
    "imports['wasi:random/random'].getRandomBytes(1n)",
    'stdout[Symbol.dispose ?? Symbol.for("dispose")]()',
  ]) {
    const made = runGlue(`const prototypeOf = Object.getPrototypeOf; const own = RangeError.prototype
      const module = getCoreModule('core.wasm'); const stdout = imports['wasi:cli/stdout'].getStdout()
      const texts = [new TextDecoder(), new TextEncoder()]
      const outside = new Set(); let caught = 0
      const attempt = () => { try { ${call} } catch (error) { caught++; if (!(error instanceof Error)) outside.add(error) } }
      // From the deepest frame outwards, each with a little more room than the one before.
      // Compiling takes more of the stack than calling.
      for (let warm = 0; warm < 5; warm++) attempt()
      let left = 0
      const deeper = () => { try { deeper() } catch {} if (left > 0) try { left--; attempt() } catch {} }
      const padded = (frames, a, b, c) => { if (frames > 0) padded(frames - 1, a, b, c); else { left = 200; deeper() } }
      for (let frames = 0; frames < 10; frames++) padded(frames)
      tell(outside.size + ' of ' + (caught > 0))`)
    assert.match(made, /^told: 0 of /, call)
    overflows += made === 'told: 0 of true' ? 1 : 0
  }
  assert.ok(overflows > 0)
})

test('JavaScript of a component cannot load a module', () => {
  assert.throws(() => runGlue(`import('node:fs')`), /transpiled to other JavaScript/)
  assert.throws(() => runGlue(`tell(import.meta.url)`), /transpiled to other JavaScript/)
})

function interfacesOf(options: Parameters<typeof componentWorld>[0] = {}) {
  const world = componentWorld(options)
  const resources = new ResourceTable()
  const interfaces = wasiInterfaces({ ...world, resources })
  const call = (name: string, path: string, ...args: unknown[]) => {
    const [first = '', method] = path.split('.')
    const member = (interfaces[name] as WasiInterface)[first]
    const found = typeof member === 'function' ? member : member?.[method ?? '']
    assert.type(found, 'function', `${name} has no ${path}`)
    try {
      return found?.(...args)
    } catch (error) {
      if (error instanceof Failure) return error.payload
      throw error
    }
  }
  const types = (method: string, ...args: unknown[]) => call('wasi:filesystem/types', `Descriptor.${method}`, ...args)
  const [[root]] = call('wasi:filesystem/preopens', 'getDirectories') as [[ResourceReference, string]]
  return { call, types, root, resources, interfaces, world }
}

const FOLLOW = { symlinkFollow: true }
const READ = { read: true }

test('a path through a directory that the guest has opened does not lead above it: .., absolute, by a symlink', () => {
  const { types, root } = interfacesOf({ fs: filesOf('secret', 'box/inside') })
  const box = types('openAt', root, FOLLOW, 'box', { directory: true }, READ)
  for (const path of ['..', '../secret', '/secret', '/', './../secret', 'inside/../../secret'])
    assert.ok(['not-permitted', 'not-directory'].includes(types('openAt', box, FOLLOW, path, {}, READ) as string), path)
  assert.is(types('symlinkAt', box, '/secret', 'absolute'), 'not-permitted')
  assert.is(types('symlinkAt', box, '../secret', 'up'), undefined)
  // As in preview1: a symlink leads wherever it leads inside the container's tree, and nowhere else.
  assert.is(types('symlinkAt', box, '../../../../../secret', 'far'), undefined)
  for (const name of ['up', 'far']) assert.equal(types('statAt', box, FOLLOW, name), types('statAt', root, FOLLOW, 'secret'))
  assert.is(types('renameAt', box, '../secret', box, 'stolen'), 'not-permitted')
  assert.is(types('unlinkFileAt', box, '../secret'), 'not-permitted')
  assert.is((types('statAt', root, FOLLOW, 'secret') as { type: string }).type, 'regular-file')
})

test('handles cannot be forged, used as another kind, used when dropped, or dropped twice', () => {
  const { types, call, root, resources } = interfacesOf({ fs: filesOf('file') })
  const file = types('openAt', root, FOLLOW, 'file', {}, READ) as ResourceReference
  const stream = types('readViaStream', file, 0n) as ResourceReference
  for (const forged of [
    { resource: 'Descriptor', number: 999 },
    { resource: 'Descriptor', number: -1 },
    stream,
    3,
    null,
    undefined,
    {},
    'Descriptor',
  ])
    assert.throws(
      () => types('stat', forged),
      (error: Error) => error instanceof Trap,
    )
  assert.throws(
    () => call('wasi:io/streams', 'InputStream.read', file, 1n),
    (error: Error) => error instanceof Trap,
  )
  resources.drop(file)
  assert.throws(
    () => types('stat', file),
    (error: Error) => error instanceof Trap,
  )
  assert.throws(
    () => resources.drop(file),
    (error: Error) => error instanceof Trap,
  )
  // The stream has the file to itself now.
  assert.equal(call('wasi:io/streams', 'InputStream.read', stream, 10n), { tag: 'closed' })
  resources.drop(stream)
})

test('descriptors and resources run out before the memory does', () => {
  const { types, call, root } = interfacesOf({ fs: filesOf('file'), openFiles: 10 })
  const opened = Array.from({ length: 12 }, () => types('openAt', root, FOLLOW, 'file', {}, READ))
  assert.equal(opened.slice(9), ['insufficient-memory', 'insufficient-memory', 'insufficient-memory'])
  assert.is(types('readDirectory', root), 'insufficient-memory')
  assert.throws(() => {
    for (;;) call('wasi:clocks/monotonic-clock', 'subscribeDuration', 1n)
  }, /100000 resources/)
})

test('lists and lengths that are too large are traps, or cut', () => {
  const { call } = interfacesOf({ input: 'hello' })
  const input = call('wasi:cli/stdin', 'getStdin')
  const output = call('wasi:cli/stdout', 'getStdout')
  assert.is((call('wasi:io/streams', 'InputStream.blockingRead', input, 2n ** 64n - 1n) as Uint8Array).length, 5)
  assert.throws(() => call('wasi:io/streams', 'OutputStream.write', output, new Uint8Array(65_537)), /permitted/)
  assert.throws(() => call('wasi:io/streams', 'OutputStream.writeZeroes', output, 2n ** 40n), /permitted/)
  assert.throws(() => call('wasi:random/random', 'getRandomBytes', 2n ** 40n), /random bytes at once/)
  assert.throws(() => call('wasi:io/poll', 'poll', []), /poll of nothing/)
  assert.throws(() => call('wasi:io/poll', 'poll', Array(5000).fill(input)), /longer than 4096/)
})

test('whatever a component calls with whatever arguments ends in a result, an error or a trap of ours', () => {
  const { interfaces, root, world } = interfacesOf({ fs: filesOf('file', 'box/inside'), input: 'x' })
  assert.equal(new Set(Object.keys(interfaces)), PROVIDED_INTERFACES)
  const functions = Object.values(interfaces).flatMap((members) =>
    Object.values(members).flatMap((member) => (typeof member === 'function' ? [member] : Object.values(member))),
  )
  const held: unknown[] = [root]
  const argument = fc.oneof(
    fc.nat(9).map((place) => () => held[place % held.length]),
    fc.constantFrom<unknown>('file', 'box', '..', '/', 'new', '', '\0', 'x'.repeat(5000), '\ud800').map((value) => () => value),
    fc.constantFrom<unknown>(0n, 1n, -1n, 2n ** 64n - 1n, 2n ** 64n, 5, Number.NaN, null, undefined, true).map((value) => () => value),
    fc
      .constantFrom<unknown>(READ, FOLLOW, { create: true }, { write: true }, { tag: 'now' }, { tag: 'ok' }, {})
      .map((value) => () => value),
    fc
      .constantFrom<unknown>({ tag: 'timestamp', val: { seconds: 2n ** 63n, nanoseconds: 1e12 } }, { tag: 'timestamp' })
      .map((value) => () => value),
    fc.constantFrom<unknown>([root], [], [1], new Uint8Array(3), Symbol('s')).map((value) => () => value),
  )
  fc.assert(
    fc.property(fc.nat(functions.length - 1), fc.array(argument, { maxLength: 5 }), (place, args) => {
      try {
        const result = functions[place]?.(...args.map((make) => make()))
        if (typeof result === 'object' && result !== null && 'number' in result && held.length < 10) held.push(result)
      } catch (error) {
        const isOurs = error instanceof Trap || error instanceof Failure || error instanceof GuestExit
        // What JavaScript itself finds wrong ends the component just as well; what it must not be is an error of the host's.
        assert.ok(isOurs || error instanceof TypeError || error instanceof RangeError, messageOf(error))
      }
    }),
    { numRuns: 3000 },
  )
  assert.ok(world.tree.root.parent === null)
})

test('names in a component that would be JavaScript are names', () =>
  withRun(async (run) => {
    for (const name of [
      `'+process.exit(77)+'`,
      `\\']: globalThis.x = 1, [\\'`,
      '$(process)',
      '*/ process.exit(77) /*',
      '__proto__',
      'constructor',
      '\\n',
    ])
      await componentText(
        commandText(`
          (core module $other (func (export "${name}")))
          (core module $program (import "${name}" "${name}" (func)) (func (export "run") (result i32) (i32.const 0)))
          (core instance $given (instantiate $other))
          (core instance $main (instantiate $program (with "${name}" (instance $given))))`),
      ).then(async (component) => {
        if (/['\\]/.test(name)) await rejection(run(component), 'COMMAND_NOT_EXECUTABLE')
        else assert.equal((await run(component)).status.exitCode, 0, name)
      })
  }))

type Run = (
  component: Uint8Array,
  change?: Parameters<Parameters<Parameters<typeof withWasmWall>[1]>[0]['run']>[1],
) => ReturnType<Parameters<Parameters<typeof withWasmWall>[1]>[0]['run']>

/** Runs components behind the wall, each in a container of its own. */
async function withRun(body: (run: Run) => Promise<void>): Promise<void> {
  await body(async (component, options) => {
    let result: Awaited<ReturnType<Run>> | undefined
    await withWasmWall({ '/c.wasm': component }, async ({ run }) => {
      result = await run(['/c.wasm'], options)
    })
    if (result === undefined) throw new Error('nothing ran')
    return result
  })
}

const program = (body: string, more = '') =>
  componentOfWat(`(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1) (data (i32.const 0) "\\08\\00\\00\\00\\00\\10\\00\\00") ${more}
    (func (export "_start") ${body}))`)

test('bombs: memory, instances, output, recursion and time end at their limits, and the reason is told', () =>
  withRun(async (run) => {
    const memory = await run(
      await program('(loop $again (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then (unreachable))) (br $again))'),
      { change: { limits: { memoryBytes: 4 * MIB } } },
    )
    assert.equal([memory.status.exitCode, memory.status.reason], [134, 'out-of-memory'])
    assert.is(memory.receipt.wasm?.memoryPagesMaximum, 64)
    const output = await run(
      await program('(loop $again (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16))) (br $again))'),
      {
        change: { limits: { outputBytes: 1000 } },
      },
    )
    assert.equal([output.status.reason, output.stdout.length <= 1000], ['limit', true])
    const recursion = await run(await program('(call $deeper)', '(func $deeper (call $deeper))'))
    assert.equal([recursion.status.exitCode, recursion.status.detail], [134, 'wasm trap: call stack exhausted'])
    const loop = await run(await program('(loop $again (br $again))'), { change: { limits: { timeoutMs: 200 } } })
    assert.is(loop.status.reason, 'timeout')
    const instances = commandText(`(core module $program (memory 1) (func (export "run") (result i32) (i32.const 0)))
      ${'(core instance (instantiate $program))'.repeat(200)} (core instance $main (instantiate $program))`)
    await rejection(run(await componentText(instances), { change: { limits: { memoryBytes: 8 * MIB } } }), 'LIMIT_EXCEEDED')
    assert.match(runGlue(`for (;;) instantiateCore(getCoreModule('core.wasm'))`), 'more instances than its limits')
  }))

test('instances of one module share the limit of memory: none can have what another was given', () =>
  withRun(async (run) => {
    const text =
      commandText(`(core module $program (memory 1) (func (export "run") (result i32) (memory.grow (i32.const 40)) (i32.const -1) (i32.ne)))
      (core instance (instantiate $program)) (core instance $main (instantiate $program))`)
    const { status, receipt } = await run(await componentText(text), { change: { limits: { memoryBytes: 4 * MIB } } })
    assert.equal([status.exitCode, receipt.wasm?.memoryPagesMaximum], [0, 64])
  }))

test('what a component imports that is not there is named, with what would provide it', () =>
  withRun(async (run) => {
    for (const [name, hint] of [
      ['wasi:http/outgoing-handler@0.2.0', /native wall/],
      ['wasi:cli/environment@0.3.0', /0\.2/],
      ['wasi:keyvalue/store@0.2.0', /provides wasi:cli/],
      ['docs:adder/add@0.1.0', /wac plug/],
    ] as const) {
      const text = commandText(
        `(core module $program (func (export "run") (result i32) (i32.const 0))) (core instance $main (instantiate $program))`,
        `(import "${name}" (instance))`,
      )
      const error = await rejection(run(await componentText(text)), 'COMMAND_NOT_EXECUTABLE')
      assert.match(error.message, `the component imports ${name}`)
      assert.match(error.hint ?? '', hint)
    }
    const library = await componentText('(component)')
    assert.match((await rejection(run(library), 'COMMAND_NOT_EXECUTABLE')).message, 'exports no wasi:cli/run@0.2')
  }))

test('a component that is truncated, lies about its size, or starts too large is refused', () =>
  withRun(async (run) => {
    const whole = await program('(call $exit (i32.const 0))')
    for (const length of [8, 9, 20, 1000, whole.length - 1]) await rejection(run(whole.subarray(0, length)), 'COMMAND_NOT_EXECUTABLE')
    const preamble = [...whole.subarray(0, 8)]
    await rejection(run(Uint8Array.from([...preamble, 1, 0x80, 0x80, 0x80, 0x80, 8, 0])), 'COMMAND_NOT_EXECUTABLE')
    await rejection(run(Uint8Array.from([...preamble, 10, 6, 0xff, 0xff, 0xff, 0xff, 0x0f, 0])), 'COMMAND_NOT_EXECUTABLE')
    const damaged = Uint8Array.from(whole)
    damaged.fill(0x55, 2000, 2400)
    const error = await run(damaged).then(
      ({ status }) => (status.exitCode === 134 ? 'COMMAND_NOT_EXECUTABLE' : 'ran'),
      ({ code }) => code,
    )
    assert.is(error, 'COMMAND_NOT_EXECUTABLE')
    const large = await componentText(
      commandText(
        '(core module $program (memory 5000) (func (export "run") (result i32) (i32.const 0))) (core instance $main (instantiate $program))',
      ),
    )
    await rejection(run(large, { change: { limits: { memoryBytes: 16 * MIB } } }), 'LIMIT_EXCEEDED')
  }))

test('what only modules have is refused by name: the other engine', () =>
  withWasmWall({ '/c.wasm': preambleOf(guestBytes('hello')) }, async ({ run }) => {
    assert.match((await rejection(run(['/c.wasm'], { change: { wasiEngine: 'wasmer' } }), 'NOT_BUILT')).message, '--wasi-engine wasmer')
  }))

/** Enough to be taken for a component. */
function preambleOf(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from([...bytes.subarray(0, 4), 0x0d, 0, 1, 0])
}

test.run()
