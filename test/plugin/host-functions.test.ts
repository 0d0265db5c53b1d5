import { setTimeout as sleep } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import { Plugin } from '../../src/index.js'
import { hostImport, pluginModule, withPlugin } from '../support/plugins.js'
import { rejection } from '../support/rejection.js'
import { WASM } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('plugin/host-functions')

/** Passes on what it is given. */
const RELAY = pluginModule('(func (export "relay") (param i32 i32) (result i64) (call $ask (local.get 0) (local.get 1)))', {
  imports: hostImport('ask'),
})

test.needs(WASM)('a host function may be asynchronous, and answer bytes, text or nothing', async () => {
  const slow = async (input: Uint8Array) => {
    await sleep(1)
    return Buffer.from(input).reverse()
  }
  await withPlugin({ bytes: RELAY, hostFunctions: { ask: slow } }, async (plugin) => {
    assert.is(await plugin.call('relay', 'abc'), 'cba')
    const large = Buffer.alloc(30_000, 'ab')
    assert.ok(
      Buffer.from(large)
        .reverse()
        .equals(await plugin.call('relay', large)),
    )
  })
  await withPlugin({ bytes: RELAY, hostFunctions: { ask: { text: (text) => `${text}!` } } }, async (plugin) => {
    assert.is(await plugin.call('relay', 'ä'), 'ä!')
    const error = await rejection(plugin.call('relay', Buffer.from([0xff])), 'HOST_FUNCTION_FAILED')
    assert.match(error.message, 'no valid UTF-8')
  })
  await withPlugin({ bytes: RELAY, hostFunctions: { ask: () => {} } }, async (plugin) => assert.is(await plugin.call('relay', 'abc'), ''))
})

test.needs(WASM)('what a host function has begun and not waited for may call the plugin when it has answered', async () => {
  let later: Promise<string> | undefined
  const plugin = await Plugin.load({
    bytes: RELAY,
    hostFunctions: {
      ask: {
        text: (text) => {
          later ??= sleep(50).then(() => plugin.call('relay', 'later'))
          return text
        },
      },
    },
  })
  try {
    assert.is(await plugin.call('relay', 'first'), 'first')
    assert.is(await later, 'later')
  } finally {
    await plugin.close()
  }
})

test.needs(WASM)('numbers go to a host function and back as the module imports them', () =>
  withPlugin(
    {
      bytes: pluginModule(
        `(func (export "both") (result f64) (f64.add (call $scale (i32.const 3) (f64.const 0.5)) (f64.convert_i64_s (call $long (i64.const -2)))))`,
        {
          imports: `(import "wolffia" "scale" (func $scale (param i32 f64) (result f64)))
                    (import "wolffia" "long" (func $long (param i64) (result i64)))`,
        },
      ),
      hostFunctions: {
        scale: { numbers: ([count, by]) => Number(count) * Number(by) },
        long: { numbers: async ([value]) => (value as bigint) * 10n },
      },
    },
    async (plugin) => assert.is(await plugin.call('both', []), -18.5),
  ),
)

test.needs(WASM)('what a host function throws is the cause of the call’s failure', () =>
  withPlugin(
    {
      bytes: RELAY,
      hostFunctions: {
        ask: () => {
          throw new RangeError('not that one')
        },
      },
    },
    async (plugin) => {
      const error = await rejection(plugin.call('relay', 'abc'), 'HOST_FUNCTION_FAILED')
      assert.match(error.message, 'the host function ask failed: not that one')
      assert.instance(error.cause, RangeError)
    },
  ),
)

test.needs(WASM)('an answer that is none, or of the wrong type, is the host function’s failure', async () => {
  await withPlugin({ bytes: RELAY, hostFunctions: { ask: () => 7 as never } }, async (plugin) => {
    assert.match((await rejection(plugin.call('relay', ''), 'HOST_FUNCTION_FAILED')).message, 'neither bytes nor text')
  })
  const bytes = pluginModule('(func (export "f") (result i32) (call $n))', { imports: '(import "wolffia" "n" (func $n (result i32)))' })
  await withPlugin({ bytes, hostFunctions: { n: { numbers: () => 0.5 } } }, async (plugin) => {
    assert.match((await rejection(plugin.call('f', []), 'HOST_FUNCTION_FAILED')).message, 'must be (i32), not (0.5)')
  })
})

test.needs(WASM)('a host function that calls the plugin it answers is refused, and does not wait for itself', async () => {
  const holder: { plugin?: Plugin } = {}
  const ask = async () => holder.plugin?.call('relay', 'again')
  await withPlugin({ bytes: RELAY, hostFunctions: { ask } }, async (plugin) => {
    holder.plugin = plugin
    const error = await rejection(plugin.call('relay', 'once'), 'HOST_FUNCTION_FAILED')
    assert.is((error.cause as { readonly code: string }).code, 'CONFLICT')
  })
})

test.needs(WASM)('a host function that never answers is left at the deadline, and its signal says so', async () => {
  const signals: AbortSignal[] = []
  const ask = (_input: Uint8Array, { signal }: { readonly signal: AbortSignal }) => {
    signals.push(signal)
    return signals.length === 1 ? new Promise<string>(() => {}) : 'answered'
  }
  await withPlugin({ bytes: RELAY, hostFunctions: { ask } }, async (plugin) => {
    await rejection(plugin.call('relay', 'abc', { timeoutMs: 30 }), 'DEADLINE_EXCEEDED')
    assert.is(signals[0]?.aborted, true)
    assert.is(await plugin.call('relay', 'abc'), 'answered')
  })
})

test('a host function that the module imports with another type is refused when it is loaded', async () => {
  const bytes = pluginModule('', { imports: '(import "wolffia" "ask" (func (param i32) (result i64)))' })
  assert.match((await rejection(Plugin.load({ bytes, hostFunctions: { ask: () => '' } }), 'INVALID_ARGUMENT')).message, '(i32) -> i64')
})

test.needs(WASM)('a host function that was not given is refused when the plugin is loaded', async () => {
  assert.match((await rejection(Plugin.load({ bytes: RELAY }), 'COMMAND_NOT_EXECUTABLE')).message, 'wolffia.ask')
})

test.run()
