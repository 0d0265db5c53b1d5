import * as assert from 'uvu/assert'
import { EngineError } from '../../src/errors.js'
import type { PrivilegeSpec } from '../../src/runtime/spec.js'
import { assertNoPrivileges } from '../../src/wasm/no-privileges.js'
import { suite } from '../support/suite.js'

const test = suite('wasm/no-privileges')

const REFUSED: readonly (readonly [flag: string, privileges: PrivilegeSpec])[] = [
  ['--privileged', { privileged: true, capAdd: ['ALL'] }],
  ['--cap-add', { capAdd: ['NET_ADMIN'] }],
  ['--security-opt no-new-privileges=false', { noNewPrivileges: false }],
  ['--security-opt seccomp=', { seccomp: 'unconfined' }],
  ['--security-opt systempaths=unconfined', { systemPaths: 'unconfined' }],
  ['--device', { devices: [{ source: '/dev/zero', destination: '/dev/zero' }] }],
  ['--sysctl', { sysctls: { 'net.ipv4.ip_forward': '1' } }],
  ['--uts host', { uts: 'host' }],
  ['--cgroupns host', { cgroupns: 'host' }],
  ['--group-add', { groups: [5] }],
]

test('what would open something to a native guest is refused by the flag that asks for it', () => {
  for (const [flag, privileges] of REFUSED)
    assert.throws(
      () => assertNoPrivileges(privileges),
      (error: unknown) => error instanceof EngineError && error.code === 'NOT_BUILT' && error.message.startsWith(`${flag}: `),
      flag,
    )
})

test('what takes away holds: there is nothing to be taken', () => {
  assertNoPrivileges({})
  assertNoPrivileges({ capDrop: ['ALL'], ipc: 'none' })
})

test.run()
