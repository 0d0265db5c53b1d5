import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import * as assert from 'uvu/assert'
import { addPrivilegeFlags, privilegeOptions } from '../../src/cli/privilege-flags.js'
import type { PrivilegeOptions } from '../../src/container/privileges.js'
import { EngineError } from '../../src/errors.js'
import { withFolder } from '../support/image-fixtures.js'
import { suite } from '../support/suite.js'

const test = suite('cli/privilege-flags')

function parsed(...words: string[]): PrivilegeOptions {
  const parser = new Command().exitOverride()
  addPrivilegeFlags(parser)
  parser.parse(words, { from: 'user' })
  return privilegeOptions(parser.opts())
}

function failed(...words: string[]): string {
  try {
    parsed(...words)
  } catch (error) {
    if (error instanceof EngineError) return `${error.code} ${error.message}`
    throw error
  }
  throw new Error(`${words.join(' ')} was taken`)
}

test('no flag asks for nothing', () => {
  assert.equal(parsed(), {})
  assert.equal(parsed('--ipc', 'private', '--cgroupns', 'private', '--pid', 'private', '--userns', ''), {
    ipc: 'private',
    cgroupns: 'private',
  })
})

test('--security-opt takes docker’s options with "=" and ":", and what only root could give fails by its name', () => {
  const option = (text: string) => parsed('--security-opt', text)
  assert.equal(option('no-new-privileges'), { noNewPrivileges: true })
  assert.equal(option('no-new-privileges=false'), { noNewPrivileges: false })
  assert.equal(option('no-new-privileges:true'), { noNewPrivileges: true })
  assert.equal(option('seccomp=unconfined'), { seccomp: 'unconfined' })
  assert.equal(option('seccomp:builtin'), { seccomp: 'builtin' })
  assert.equal(option('systempaths=unconfined'), { systemPaths: 'unconfined' })
  for (const text of ['apparmor=unconfined', 'label=disable', 'writable-cgroups=false']) assert.equal(option(text), {})
  for (const text of ['apparmor=my-profile', 'label=type:x_t', 'writable-cgroups', 'writable-cgroups=true'])
    assert.is(failed('--security-opt', text), `NOT_BUILT --security-opt ${text} is not built`)
  for (const text of ['', 'foo', 'foo=bar', 'systempaths=', 'seccomp', 'seccomp=', 'no-new-privileges=maybe'])
    assert.is(failed('--security-opt', text), `INVALID_ARGUMENT invalid --security-opt: "${text}"`)
  assert.match(failed('--security-opt', 'seccomp=/nowhere.json'), 'opening seccomp profile (/nowhere.json) failed')
})

test('--security-opt seccomp= reads the file', () =>
  withFolder(async (folder) => {
    const path = join(folder, 'p.json')
    writeFileSync(path, '{}')
    assert.equal(parsed('--security-opt', `seccomp=${path}`), { seccomp: { source: path, json: '{}' } })
  }))

test('--device takes a path, another in the container, and the mode that can hold', () => {
  const device = (text: string) => parsed('--device', text).devices?.[0]
  assert.equal(device('/dev/fuse'), { source: '/dev/fuse', destination: '/dev/fuse' })
  assert.equal(device('/dev/fuse:/dev/other'), { source: '/dev/fuse', destination: '/dev/other' })
  for (const text of ['/dev/fuse:rwm', '/dev/fuse:wr', '/dev/fuse:/dev/fuse:rw'])
    assert.equal(device(text), { source: '/dev/fuse', destination: '/dev/fuse' })
  for (const [text, mode] of [
    ['/dev/fuse:r', 'r'],
    ['/dev/fuse:/x:w', 'w'],
    ['/dev/fuse:m', 'm'],
    ['/dev/fuse::rm', 'rm'],
  ])
    assert.is(failed('--device', text ?? ''), `NOT_BUILT --device ${text}: mode ${mode} cannot be held apart from rw`)
  for (const text of ['/dev/fuse:/x:rr', '/dev/fuse:/x:rwx', '/dev/fuse:/x:']) assert.match(failed('--device', text), 'bad mode specified')
  assert.match(failed('--device', 'dev/fuse'), 'dev/fuse is not an absolute path')
  assert.match(failed('--device', 'vendor.com/gpu=all'), /^NOT_BUILT /)
})

test('--sysctl needs a name and a value, and the value may have a "="', () => {
  assert.equal(parsed('--sysctl', 'net.x=a=b', '--sysctl', 'net.y=').sysctls, { 'net.x': 'a=b', 'net.y': '' })
  for (const text of ['net.x', '=1'])
    assert.is(failed('--sysctl', text), `INVALID_ARGUMENT invalid argument "${text}" for "--sysctl" flag: sysctl '${text}' is not allowed`)
})

test('a namespace that cannot be shared is refused with the way out, and a word that is none in docker’s words', () => {
  for (const [flag, value] of [
    ['--pid', 'host'],
    ['--pid', 'container:x'],
    ['--ipc', 'host'],
    ['--ipc', 'shareable'],
    ['--userns', 'host'],
    ['--userns', 'auto:size=5'],
  ])
    assert.is(failed(flag ?? '', value ?? ''), `NOT_BUILT ${flag} ${value} is not built`)
  assert.is(failed('--pid', 'x'), 'INVALID_ARGUMENT --pid: invalid PID mode')
  assert.is(failed('--ipc', 'x'), 'INVALID_ARGUMENT --ipc: invalid IPC mode')
  assert.is(failed('--uts', 'container:x'), 'INVALID_ARGUMENT --uts: invalid UTS mode')
  assert.is(failed('--userns', 'x'), 'INVALID_ARGUMENT --userns: invalid USER mode')
  assert.is(failed('--cgroupns', 'x'), 'INVALID_ARGUMENT --cgroupns: invalid CGROUP mode')
  assert.equal(parsed('--uts', 'host', '--cgroupns', 'host', '--ipc', 'none'), { ipc: 'none', uts: 'host', cgroupns: 'host' })
})

test('--userns keep-id takes ids as podman does, and nothing else', () => {
  assert.equal(parsed('--userns', 'keep-id'), { keepId: {} })
  assert.equal(parsed('--userns', 'keep-id:uid=5,gid=7'), { keepId: { uid: 5, gid: 7 } })
  assert.equal(parsed('--userns', 'keep-id:gid=7'), { keepId: { gid: 7 } })
  for (const text of ['keep-id:', 'keep-id:size=5', 'keep-id:uid=', 'keep-id:uid=-1', 'keep-id:uid=1,', 'keep-id:uid=99999999999'])
    assert.match(failed('--userns', text), /^INVALID_ARGUMENT .*unknown option specified/)
  assert.is(failed('--userns', 'keep-ids'), 'INVALID_ARGUMENT --userns: invalid USER mode')
})

test.run()
