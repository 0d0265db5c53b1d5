/** What a guest may not do though its user has given it more than others have. */
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, readlinkSync, rmdirSync, statSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import * as assert from 'uvu/assert'
import type { EngineError } from '../../src/errors.js'
import { CAPABILITIES } from '../../src/launcher/capabilities.js'
import { chooseIdMap, singleIdMap } from '../../src/launcher/id-map.js'
import { assetPath } from '../../src/launcher/installation.js'
import { parseSeccompProfile } from '../../src/launcher/seccomp-profile.js'
import type { Receipt } from '../../src/runtime/receipt.js'
import type { PrivilegeSpec } from '../../src/runtime/spec.js'
import { compileGuest } from '../support/compile-guest.js'
import { ID_MAPS } from '../support/id-maps.js'
import { withBox } from '../support/launcher-box.js'
import { withNativeWall } from '../support/native-wall.js'
import { BUSYBOX, CC, ID_RANGE, NATIVE } from '../support/requirements.js'
import { containerSpec, PRIVILEGED, type SpecChange } from '../support/specs.js'
import { busyboxEntries, packFile, storedRootfs, storeLayer } from '../support/stored-layers.js'
import { suite } from '../support/suite.js'

const test = suite('native/privileges')

const ALLOW_ALL = { source: 'all.json', profile: parseSeccompProfile('{"defaultAction":"SCMP_ACT_ALLOW"}', 'all.json') }

interface Ran {
  readonly lines: readonly string[]
  readonly receipt: Receipt
}

/** Runs test/fixtures/privileges.c, or a line of shell, behind the whole native wall. */
async function run(
  what: { args?: readonly string[]; script?: string },
  privileges: PrivilegeSpec,
  map = singleIdMap(),
  change: SpecChange = {},
): Promise<Ran> {
  let ran: Ran | undefined
  await withNativeWall(
    async (wall) => {
      const entries = [...busyboxEntries()]
      if (what.script === undefined) {
        const program = join(wall.folder, 'privileges')
        await compileGuest('privileges', program)
        entries.push(packFile('guest', readFileSync(program), { mode: 0o4755 }), packFile('tmp/.keep', Buffer.from(''), { mode: 0o644 }))
      }
      const rootfs = storedRootfs([storeLayer(wall.folder, entries)])
      const directory = join(wall.folder, 'container')
      mkdirSync(directory)
      const args = what.script === undefined ? ['/guest', ...(what.args ?? [])] : ['/bin/sh', '-c', what.script]
      const spec = containerSpec({ ...change, privileges, process: { ...change.process, args } })
      const task = await wall.runtime.create({ id: 'attacker', directory, spec, rootfs, openStdin: false })
      try {
        const output = Promise.all([text(task.stdout), text(task.stderr ?? task.stdout)])
        await task.start()
        const { exitCode } = await task.wait()
        const [stdout, stderr] = await output
        assert.is(exitCode, 0, stdout + stderr)
        ran = { lines: stdout.trimEnd().split('\n'), receipt: await task.receipt() }
      } finally {
        await task.delete()
        await wall.runtime.discard('', directory)
      }
    },
    { idMap: map },
  )
  if (ran === undefined) throw new Error('did not run')
  return ran
}

const hostNamespaces = () => readdirSync('/proc/self/ns').map((name) => readlinkSync(`/proc/self/ns/${name}`))
const ofKind = (lines: readonly string[], kind: string) => lines.filter((line) => line.startsWith(`${kind} `))
const succeeded = (lines: readonly string[]) => lines.filter((line) => line.endsWith(' ok'))

function launcherOnDisk(): string {
  const path = assetPath('launcher')
  return `${statSync(path).mode} ${createHash('sha256').update(readFileSync(path)).digest('hex')}`
}

for (const { name, map, needs } of ID_MAPS) {
  const native = test.needs(NATIVE, BUSYBOX, CC, ...needs)

  native(`CVE-2019-5736: a privileged guest can neither write to the launcher nor make its mount writable, under ${name}`, async () => {
    const before = launcherOnDisk()
    const { lines } = await run({}, PRIVILEGED, map())
    assert.is(ofKind(lines, 'launcher').length, 7)
    assert.equal(succeeded(ofKind(lines, 'launcher')), [])
    assert.is(launcherOnDisk(), before)
  })

  native(
    `CVE-2022-0492, and all else of the host's, is out of a privileged guest's reach: no device, no module, no clock, no setting of the kernel, under ${name}`,
    async () => {
      const { lines } = await run({}, PRIVILEGED, map())
      assert.is(ofKind(lines, 'host').length, 13)
      assert.equal(succeeded(ofKind(lines, 'host')), [])
    },
  )

  native(`a seccomp profile that allows all opens no setns to the host, under ${name}`, async () => {
    for (const privileges of [PRIVILEGED, { capAdd: ['ALL'], seccomp: ALLOW_ALL }]) {
      const { lines, receipt } = await run({}, privileges, map())
      // Its own, init's, and none of them the host's.
      const found = ofKind(lines, 'namespace').map((line) => line.replace('namespace ', ''))
      assert.is(found.length, 7)
      assert.equal(
        found.filter((namespace) => hostNamespaces().includes(namespace)),
        [],
      )
      assert.equal(
        ofKind(lines, 'init-descriptor').filter((line) => !/ pipe:|EACCES/.test(line)),
        [],
        'init holds the pipe of its word alone',
      )
      assert.is(receipt.kernel?.seccomp.mode, privileges === PRIVILEGED ? 0 : 2)
    }
  })

  native(`without a filter a namespace of the guest's own lifts no mask: umount, remount, a fresh proc, under ${name}`, async () => {
    const { lines } = await run({ args: ['nested'] }, { seccomp: 'unconfined' }, map())
    assert.equal(succeeded(lines), ['nested unshare ok'])
    assert.is(lines.length, 4)
  })
}

test.needs(NATIVE, BUSYBOX)('CVE-2022-24769: however capabilities are given, none is inheritable or ambient', async () => {
  for (const privileges of [{ capAdd: ['ALL'] }, { capAdd: ['NET_ADMIN'], noNewPrivileges: false }, PRIVILEGED] as const) {
    const { lines, receipt } = await run({ script: 'busybox grep -E "Cap(Inh|Amb)" /proc/self/status' }, privileges)
    assert.equal(
      lines.map((line) => line.split(/\s+/)[1]),
      ['0'.repeat(16), '0'.repeat(16)],
    )
    assert.is(receipt.kernel?.capabilities.inheritable, '0'.repeat(16))
  }
})

test.needs(NATIVE, BUSYBOX)('capabilities are those that were added and dropped, and the receipt shows them', async () => {
  const held = async (privileges: PrivilegeSpec) => {
    const { receipt } = await run({ script: ':' }, privileges)
    const mask = BigInt(`0x${receipt.kernel?.capabilities.effective}`)
    assert.is(receipt.kernel?.capabilities.bounding, receipt.kernel?.capabilities.effective)
    return CAPABILITIES.filter((_name, number) => (mask >> BigInt(number)) & 1n)
  }
  assert.equal(await held({ capDrop: ['ALL'] }), [])
  assert.equal(await held({ capDrop: ['ALL'], capAdd: ['NET_ADMIN', 'CHOWN'] }), ['CHOWN', 'NET_ADMIN'])
  const all = await held({ capAdd: ['ALL'], capDrop: ['SYS_ADMIN'] })
  assert.ok(all.length > 35 && !all.includes('SYS_ADMIN'))
})

test.needs(
  NATIVE,
  BUSYBOX,
  CC,
  ID_RANGE,
)('a setuid program gains nothing, and where no-new-privileges is off what the container’s root has and no more', async () => {
  const process = { user: { uid: 33, gid: 33, additionalGids: [] } }
  const outcome = async (privileges: PrivilegeSpec) => (await run({ args: ['user'] }, privileges, chooseIdMap().map, { process })).lines
  assert.equal(await outcome({}), ['user 33', 'chroot EPERM', 'mount EPERM'])
  assert.equal(await outcome({ noNewPrivileges: false }), ['user 0', 'chroot ok', 'mount EPERM'])
  assert.equal(await outcome({ noNewPrivileges: false, capDrop: ['ALL'] }), ['user 0', 'chroot EPERM', 'mount EPERM'])
})

test.needs(NATIVE, BUSYBOX)('a device that was replaced by a folder, a file or a symlink after it was looked at is not bound', () =>
  withBox(async (box) => {
    const place = join(box.folder, 'device')
    const attempt = async () => {
      const mounts = [['bind', place, '/dev/given', 'device,no-symlinks,nosuid,noexec'] as const]
      const error = await box.run(['true'], { mounts }).catch((thrown: EngineError) => thrown)
      return error instanceof Error ? error.data.errno : 'ran'
    }
    mkdirSync(place)
    assert.is(await attempt(), 'ENODEV')
    rmdirSync(place)
    writeFileSync(place, '')
    assert.is(await attempt(), 'ENODEV')
    unlinkSync(place)
    symlinkSync('/dev/null', place)
    assert.is(await attempt(), 'ELOOP')
  }),
)

test.needs(NATIVE, BUSYBOX)('a profile may refuse whatever the guest can do without, the calls of its receipt among them', async () => {
  const refused = [
    'socket',
    'openat',
    'openat2',
    'getdents64',
    'ioctl',
    'prctl',
    'readlinkat',
    'statfs',
    'uname',
    'getcwd',
    'umask',
    'fstat',
    'pread64',
    'open',
  ]
  const json = JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: refused, action: 'SCMP_ACT_KILL_PROCESS' }] })
  await withNativeWall(async (wall) => {
    const directory = join(wall.folder, 'container')
    mkdirSync(directory)
    const seccomp = { source: 'harsh.json', profile: parseSeccompProfile(json, 'harsh.json') }
    const spec = containerSpec({ privileges: { seccomp }, process: { args: ['/bin/busybox', 'true'] } })
    const task = await wall.runtime.create({ id: 'harsh', directory, spec, rootfs: wall.rootfs, openStdin: false })
    try {
      const { seccompProfile, crossCheck, kernel } = await task.receipt()
      assert.is(seccompProfile?.source, 'harsh.json')
      assert.is(crossCheck.seccompProfile, true)
      assert.is(kernel?.seccomp.instructions, seccompProfile?.instructions)
      await task.start()
      // busybox looks at its own link before anything else.
      assert.is((await task.wait()).signal, 'SIGSYS')
    } finally {
      await task.delete()
    }
  })
})

test.run()
