import type { CreateRequest, Task } from '../../src/runtime/runtime.js'
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

/** A wall whose every container is one that was prewarmed for another program's words. */
class PrewarmingRuntime extends WasmRuntime {
  override async create(request: CreateRequest): Promise<Task> {
    const { spec, supervision } = request
    if (supervision?.outlives === true) return super.create(request)
    const { record: _record, ...nobody } = request
    const other = { ...nobody, spec: { ...spec, process: { ...spec.process, args: ['/probe.wasm', 'other'], env: ['OTHER=words'] } } }
    const isProbe = spec.process.args[0] === '/probe.wasm' && spec.mounts.every(({ type }) => type !== 'fs')
    if (!isProbe || request.signal?.aborted) return super.create(request)
    const prewarmed = await this.prewarm(other)
    if (!prewarmed.fits(request)) throw new Error('what was prewarmed does not fit')
    return super.create({ ...request, prewarmed })
  }
}

const prewarmed: WithWall = (body) =>
  over('required')((wall) => body({ ...wall, runtime: new PrewarmingRuntime({ nativeWall: 'required' }) }))

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
runtimeContract(named('prewarmed', test.needs(NATIVE)), prewarmed)

test.run()
