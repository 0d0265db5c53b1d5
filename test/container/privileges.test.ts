import * as assert from 'uvu/assert'
import { type PrivilegeCircumstances, type PrivilegeOptions, settlePrivileges } from '../../src/container/privileges.js'
import { EngineError } from '../../src/errors.js'
import { suite } from '../support/suite.js'

const test = suite('container/privileges')
const ROOT: PrivilegeCircumstances = { network: 'none', uid: 0, groups: [] }

const settled = (options: PrivilegeOptions, change: Partial<PrivilegeCircumstances> = {}) =>
  settlePrivileges(options, { ...ROOT, ...change })

function messageOf(options: PrivilegeOptions, change: Partial<PrivilegeCircumstances> = {}): string {
  try {
    settled(options, change)
  } catch (error) {
    if (error instanceof EngineError) return error.message
    throw error
  }
  throw new Error('nothing was thrown')
}

test('what is the usual stands in no spec', () => {
  assert.is(settled({}), undefined)
  const usual = { noNewPrivileges: true, seccomp: 'builtin', ipc: 'private', uts: 'private', cgroupns: 'private' } as const
  assert.is(settled({ ...usual, privileged: false, capAdd: [], devices: [], sysctls: {} }), undefined)
})

test('capabilities are named with CAP_ or without, in any case, and each once', () => {
  const { capAdd, capDrop } = settled({ capAdd: ['net_admin', 'CAP_NET_ADMIN', 'Sys_Nice', 'all'], capDrop: ['cap_chown', 'ALL'] }) ?? {}
  assert.equal(capAdd, ['NET_ADMIN', 'SYS_NICE', 'ALL'])
  assert.equal(capDrop, ['CHOWN', 'ALL'])
  assert.is(messageOf({ capAdd: ['nosuch'] }), 'invalid CapAdd: unknown capability: "CAP_NOSUCH"')
  assert.is(messageOf({ capDrop: ['CAP_'] }), 'invalid CapDrop: unknown capability: "CAP_"')
  assert.is(messageOf({ capAdd: ['constructor'] }), 'invalid CapAdd: unknown capability: "CAP_CONSTRUCTOR"')
})

test('a capability for a user who can neither hold nor gain it is refused', () => {
  const change = { uid: 33 }
  assert.match(messageOf({ capAdd: ['NET_ADMIN'] }, change), 'capability NET_ADMIN is of no use to user 33')
  assert.equal(settled({ capAdd: ['NET_ADMIN'], noNewPrivileges: false }, change), { capAdd: ['NET_ADMIN'], noNewPrivileges: false })
  assert.equal(settled({ capDrop: ['CHOWN'] }, change), { capDrop: ['CHOWN'] })
})

test('privileged is all that a namespace can give, and what is said besides goes before it', () => {
  const all = { privileged: true, capAdd: ['ALL'], noNewPrivileges: false, seccomp: 'unconfined', systemPaths: 'unconfined' }
  assert.equal(settled({ privileged: true, capAdd: ['CHOWN'], capDrop: ['ALL'] }), all)
  assert.equal(settled({ privileged: true, noNewPrivileges: true, seccomp: 'builtin' }), {
    privileged: true,
    capAdd: ['ALL'],
    systemPaths: 'unconfined',
  })
})

test('kernel parameters are those of the container’s namespaces, with dots or slashes, and no others', () => {
  const { sysctls } =
    settled({
      sysctls: {
        'net.ipv4.ip_forward': '1',
        'net/ipv4/conf/eth0.100/forwarding': '0',
        'kernel.shmmax': '5',
        'fs.mqueue.msg_max': '9',
        'kernel.sem': '1 2 3 4',
      },
    }) ?? {}
  assert.equal(Object.keys(sysctls ?? {}), [
    'net.ipv4.ip_forward',
    'net.ipv4.conf.eth0/100.forwarding',
    'kernel.shmmax',
    'fs.mqueue.msg_max',
    'kernel.sem',
  ])
  for (const name of ['kernel.hostname', 'kernel.core_pattern', 'vm.swappiness', 'fs.file-max', 'kernel.shmmaxx', 'network.x', 'net', ''])
    assert.is(messageOf({ sysctls: { [name]: '1' } }), `sysctl '${name}=1' is not allowed`)
  assert.match(messageOf({ sysctls: { 'net.ipv4.ip_forward': '1' } }, { network: 'host' }), "not allowed in the host's network namespace")
  assert.equal(settled({ sysctls: { 'kernel.shmmax': '1' } }, { network: 'host' }), { sysctls: { 'kernel.shmmax': '1' } })
})

test('a sysctl that climbs out of /proc/sys is refused: --sysctl ../../', () => {
  for (const name of [
    '../../etc/passwd',
    'net/../../self/comm',
    'net.../self',
    'net..ipv4',
    'net.ipv4.',
    'net/ipv4//ip_forward',
    'net.ipv4\n',
    'net.a b',
  ])
    assert.is(messageOf({ sysctls: { [name]: '1' } }), `sysctl '${name}=1' is not allowed`)
  assert.match(messageOf({ sysctls: { 'net.ipv4.ip_forward': '1\n2' } }), 'is not allowed')
})

test('a profile is read when the container is made, and goes into its spec whole', () => {
  const json = '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[]}'
  assert.equal(settled({ seccomp: { source: '/p.json', json } }), {
    seccomp: { source: '/p.json', profile: { defaultAction: 'SCMP_ACT_ALLOW', defaultErrnoRet: null, syscalls: [] } },
  })
  assert.match(messageOf({ seccomp: { source: '/p.json', json: '{' } }), 'seccomp profile /p.json is no JSON')
})

test('devices have absolute paths', () => {
  assert.is(messageOf({ devices: [{ source: 'dev/x', destination: '/dev/x' }] }), '"dev/x" is not an absolute path')
})

test.run()
