import { NativeRuntime } from '../../src/native/native-runtime.js'
import { shellArgs, withNativeWall } from '../support/native-wall.js'
import { BUSYBOX, NATIVE } from '../support/requirements.js'
import { suite } from '../support/suite.js'
import { runtimeContract } from './runtime.js'

const test = suite('contract/runtime.native')

runtimeContract(test.needs(NATIVE, BUSYBOX), (body) =>
  withNativeWall(({ trees, runtime, rootfs, idMap }) =>
    body({
      runtime,
      other: new NativeRuntime({ treesDirectory: trees, idMap }),
      rootfs,
      args: shellArgs,
      notExecutable: '/bin/not-executable',
      canOutlive: true,
    }),
  ),
)

test.run()
