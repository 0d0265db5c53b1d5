import { NativeRuntime } from '../../src/native/native-runtime.js'
import { type NativeWallOptions, shellArgs, withNativeWall } from '../support/native-wall.js'
import { BUSYBOX, ID_RANGE, NATIVE } from '../support/requirements.js'
import { type Requirement, suite } from '../support/suite.js'
import { runtimeContract } from './runtime.js'

const test = suite('contract/runtime.native')

/** Each start alone; below a holder, with the layers in its memory. */
const WAYS: readonly [name: string, options: NativeWallOptions, needs: readonly Requirement[]][] = [
  ['', {}, []],
  [' (below a holder)', { holding: { seconds: 60 } }, [ID_RANGE]],
]

for (const [way, options, needs] of WAYS) {
  const register = test.needs(NATIVE, BUSYBOX, ...needs)
  runtimeContract(
    (name, body, limits) => register(`${name}${way}`, body, limits),
    (body) =>
      withNativeWall(
        ({ trees, runtime, rootfs, idMap, holder }) =>
          body({
            runtime,
            other: new NativeRuntime({ treesDirectory: trees, idMap, holder }),
            rootfs,
            args: shellArgs,
            notExecutable: '/bin/not-executable',
            canOutlive: true,
          }),
        options,
      ),
  )
}

test.run()
