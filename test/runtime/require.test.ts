import * as assert from 'uvu/assert'
import { EngineError } from '../../src/errors.js'
import type { Receipt } from '../../src/runtime/receipt.js'
import { assertRequirements, parseRequirements } from '../../src/runtime/require.js'
import { suite } from '../support/suite.js'

const test = suite('runtime/require')

const bare: Receipt = {
  schema: 'wolffia.receipt/1',
  container: 'c',
  wall: 'wasm',
  doubleWall: false,
  kernel: null,
  seccompProfile: null,
  wasm: null,
  limits: [{ name: 'memory', value: 65536, mechanism: 'wasm' }],
  crossCheck: {},
}

function codeOf(action: () => unknown): string | undefined {
  try {
    action()
    return undefined
  } catch (error) {
    return error instanceof EngineError ? error.code : 'not an EngineError'
  }
}

test('an unknown requirement is refused and the nearest named', () => {
  assert.equal(parseRequirements(['seccomp, netns', 'memory']), ['seccomp', 'netns', 'memory'])
  assert.is(
    codeOf(() => parseRequirements(['secomp'])),
    'INVALID_ARGUMENT',
  )
  assert.is(
    codeOf(() => parseRequirements(['toString'])),
    'INVALID_ARGUMENT',
  )
  assert.is(
    codeOf(() => parseRequirements([''])),
    'INVALID_ARGUMENT',
  )
  for (const [typed, hint] of [
    ['secomp', /^Did you mean "seccomp"\?/],
    ['doublewall', /^Did you mean "double-wall"\?/],
    ['xyzzy', /^It takes: /],
  ] as const)
    assert.throws(
      () => parseRequirements([typed]),
      (error: EngineError) => hint.test(error.hint ?? ''),
    )
})

test('what the receipt proves is met and everything else is not', () => {
  assertRequirements(['wasm', 'memory'], bare)
  for (const name of parseRequirements(['seccomp,netns,root,no-capabilities,double-wall,native,pids']))
    assert.is(
      codeOf(() => assertRequirements([name], bare)),
      'REQUIREMENT_NOT_MET',
      name,
    )
})

test('a receipt that looks different from outside meets nothing', () => {
  assert.is(
    codeOf(() => assertRequirements(['wasm'], { ...bare, crossCheck: { mounts: false, seccomp: true } })),
    'REQUIREMENT_NOT_MET',
  )
})

test.run()
