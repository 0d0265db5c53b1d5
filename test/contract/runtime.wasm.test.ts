import { WasmRuntime } from '../../src/wasm/wasm-runtime.js'
import { NATIVE } from '../support/requirements.js'
import { type RegisterTest, suite } from '../support/suite.js'
import { withWasmWall } from '../support/wasm-wall.js'
import { type GuestStep, runtimeContract, type WithWall } from './runtime.js'

const test = suite('contract/runtime.wasm')

/** The contract's steps as commands of `wasm/probe`. */
function probeArgs(steps: readonly GuestStep[]): string[] {
  return ['/probe.wasm', ...steps.flatMap((step) => [',', ...step.map(String)])]
}

const over =
  (nativeWall: 'required' | 'never'): WithWall =>
  (body) =>
    withWasmWall(
      { '/not-a-module': 'text' },
      ({ runtime, rootfs }) =>
        body({
          runtime,
          other: new WasmRuntime(),
          rootfs,
          args: probeArgs,
          notExecutable: '/not-a-module',
          canOutlive: nativeWall === 'required',
        }),
      { nativeWall },
    )

const named =
  (wall: string, register: RegisterTest): RegisterTest =>
  (name, body, options) =>
    register(`${wall}: ${name}`, body, options)

runtimeContract(named('single wall', test), over('never'))
runtimeContract(named('double wall', test.needs(NATIVE)), over('required'))

test.run()
