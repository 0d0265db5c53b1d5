import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { hostname, userInfo } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import type { Receipt } from '../../src/runtime/receipt.js'
import { CommandLine } from '../support/command-line.js'
import { BUSYBOX, ID_RANGE, NATIVE } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('e2e/privileges')
const wolffia = new CommandLine()
const native = test.needs(NATIVE, BUSYBOX)

/** What a shell in a container with these flags prints; it must end with 0. */
async function shell(flags: readonly string[], script: string): Promise<string> {
  await wolffia.busybox()
  return wolffia.output('run', '--rm', ...flags, 'busybox', 'sh', '-c', script)
}

/** What is said of flags that do not go. */
async function refusal(...flags: readonly string[]): Promise<string> {
  await wolffia.busybox()
  const { code, stderr } = await wolffia.run(['run', '--rm', ...flags, 'busybox', 'true'])
  assert.is(code, 125, stderr)
  return stderr
}

/** mkdir refused with ENOENT, so that it is told from what a kernel would say. */
function profile(): string {
  const path = join(wolffia.folder, 'profile.json')
  const syscalls = [{ names: ['mkdir', 'mkdirat', 'no_such_call'], action: 'SCMP_ACT_ERRNO', errnoRet: 2 }]
  writeFileSync(path, JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls }))
  return path
}

native(
  'a seccomp profile is in force at every start and for exec, though its file is gone, and the receipt shows whose it is',
  async () => {
    await wolffia.busybox()
    const path = profile()
    const script = 'mkdir /tmp/a 2>/dev/null || echo refused; [ -e /stay ] && exec sleep 1000'
    await wolffia.output('create', '--name', 'filtered', '--security-opt', `seccomp=${path}`, 'busybox', 'sh', '-c', `${script}; true`)
    rmSync(path)
    assert.is(await wolffia.output('start', '-a', 'filtered'), 'refused\n')
    assert.is(await wolffia.output('start', '-a', 'filtered'), 'refused\n')
    const [inspected] = JSON.parse(await wolffia.output('inspect', 'filtered'))
    assert.equal(inspected.HostConfig.SecurityOpt, [`seccomp=${path}`])
    const { seccompProfile, kernel, crossCheck } = inspected.Wolffia.Receipt as Receipt
    assert.equal([seccompProfile?.source, seccompProfile?.unknownNames, kernel?.seccomp.mode], [path, 1, 2])
    assert.is(crossCheck.seccompProfile, true)
    await wolffia.output('rm', 'filtered')

    await wolffia.output('run', '-d', '--name', 'stays', '--security-opt', `seccomp=${profile()}`, 'busybox', 'sleep', '1000')
    assert.is(await wolffia.output('exec', 'stays', 'sh', '-c', 'mkdir /tmp/b 2>/dev/null || echo refused'), 'refused\n')
    await wolffia.output('rm', '-f', 'stays')
  },
)

native('a profile that cannot be is told with its file and the place in it, and one that is not there by its path', async () => {
  const path = join(wolffia.folder, 'wrong.json')
  writeFileSync(path, '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_NO"}]}')
  assert.match(
    await refusal('--security-opt', `seccomp=${path}`),
    `seccomp profile ${path}: syscalls[0].action must be one of SCMP_ACT_ALLOW`,
  )
  assert.match(await refusal('--security-opt', 'seccomp=/nowhere.json'), 'opening seccomp profile (/nowhere.json) failed')
})

native('--require own-seccomp and system-paths are met by the usual, and not by what is given besides', async () => {
  await shell(['--require', 'own-seccomp,system-paths'], 'true')
  assert.match(await refusal('--require', 'own-seccomp', '--security-opt', `seccomp=${profile()}`), 'own-seccomp')
  assert.match(await refusal('--require', 'own-seccomp', '--security-opt', 'seccomp=unconfined'), 'own-seccomp')
  assert.match(await refusal('--require', 'system-paths', '--privileged'), 'system-paths')
})

native('kernel parameters are the container’s own, and what it does not have fails by its name', async () => {
  const flags = ['--sysctl', 'net.ipv4.ip_forward=1', '--sysctl', 'net.ipv4.ping_group_range=0 5', '--sysctl', 'fs.mqueue.msg_max=7']
  assert.is(await shell(flags, 'cd /proc/sys; cat net/ipv4/ip_forward net/ipv4/ping_group_range fs/mqueue/msg_max'), '1\n0\t5\n7\n')
  assert.match(await refusal('--sysctl', 'kernel.hostname=x'), "sysctl 'kernel.hostname=x' is not allowed")
  assert.match(await refusal('--sysctl', 'net.nosuch=1'), 'There is no net/nosuch in a namespace')
  assert.match(await refusal('--sysctl', 'net.ipv4.ip_forward=many'), 'The kernel does not take that value')
})

native('a device of the host’s that its user may open is there under its name or another, and can be used', async () => {
  assert.is(await shell(['--device', '/dev/zero:/dev/given/zeros'], 'head -c 3 /dev/given/zeros | wc -c; echo x > /dev/given/zeros'), '3\n')
  assert.match(await refusal('--device', '/dev/nosuch'), 'adding custom device "/dev/nosuch": no such file or directory')
  assert.match(await refusal('--device', '/etc/passwd'), 'not a device node')
  assert.match(await refusal('--device', '/dev/zero:/proc/zero'), 'nothing can be mounted at /proc/zero')
})

native('--uts host shows the host’s name, which the container cannot change, and --ipc none has no shared memory', async () => {
  assert.is(await shell(['--uts', 'host'], 'hostname; hostname other 2>/dev/null; hostname'), `${hostname()}\n${hostname()}\n`)
  assert.match(await refusal('--uts', 'host', '-h', 'mine'), 'conflicting options: hostname and the UTS mode')
  assert.is(await shell(['--ipc', 'none'], '[ -e /dev/shm ] || echo none'), 'none\n')
})

native('--privileged mounts and makes namespaces, of its own alone, and inspect says what it was given', async () => {
  assert.is(await shell(['--privileged'], 'mount -t tmpfs none /tmp && busybox unshare -n true && echo done'), 'done\n')
  await wolffia.output('create', '--name', 'given', '--cap-add', 'net_admin', '--cap-drop', 'CAP_CHOWN', '--device', '/dev/zero', 'busybox')
  const [{ HostConfig: host }] = JSON.parse(await wolffia.output('inspect', 'given'))
  assert.equal([host.Privileged, host.CapAdd, host.CapDrop, host.SecurityOpt], [false, ['CAP_NET_ADMIN'], ['CAP_CHOWN'], null])
  assert.is(host.Devices[0].PathOnHost, '/dev/zero')
  await wolffia.output('rm', 'given')
})

test.needs(
  NATIVE,
  BUSYBOX,
  ID_RANGE,
)('--group-add takes names and numbers, and a group that nobody can be in fails by its name', async () => {
  assert.match(await shell(['--group-add', 'staff', '--group-add', '77'], 'id -G'), /\b50\b.*\b77\b/)
  assert.match(await refusal('--group-add', '2000000000'), '--group-add 2000000000: nobody can be in that group')
})

const ranged = test.needs(NATIVE, BUSYBOX, ID_RANGE)

ranged('--userns keep-id runs as its user, whoever the image says, and -u is anybody with his groups', async () => {
  const own = `${process.geteuid?.()}`
  const keep = ['--userns', 'keep-id']
  const { username } = userInfo()
  await wolffia.busybox()
  await wolffia.output('create', '--name', 'web', '-u', 'web', 'busybox')
  await wolffia.output('commit', '-c', 'USER web', 'web', 'as-web')
  await wolffia.output('rm', 'web')
  assert.is(await wolffia.output('run', '--rm', ...keep, 'as-web', 'id', '-u'), `${own}\n`)
  assert.is(await shell([...keep, '-u', 'web'], 'id -u; id -G; echo $HOME'), '33\n33 50\n/srv\n')
  assert.is(await shell([...keep, '-u', '0', '--group-add', 'staff'], 'id -u; busybox stat -c %u /bin/busybox'), '0\n0\n')
  assert.match(await shell(['--userns', 'keep-id:uid=200,gid=210'], 'id'), new RegExp(`^uid=200\\(${username}\\) gid=210`))
  assert.is(await shell(keep, 'id -un; id -gn; grep -c . /etc/passwd'), `${username}\n${username}\n3\n`)
  assert.is(await shell([...keep, '--read-only'], 'id -un; echo x 2>/dev/null >>/etc/passwd || echo refused'), `${username}\nrefused\n`)
  assert.is(await shell([...keep, '-u', 'web:staff'], 'id -un; id -gn'), 'web\nstaff\n')
  // The image has 33 already, so its files stand as they are.
  assert.is(await shell(['--userns', 'keep-id:uid=33,gid=50'], 'id -un; grep -c passwd /proc/self/mountinfo || true'), 'web\n0\n')
  assert.match(await refusal('--userns', 'keep-id:uid=4294967294'), 'keep-id: 4294967294 is no id')
  assert.match(await refusal('--userns', 'host'), 'or with keep-id your own user')
})

ranged('with kept ids owners stay who they are: in exec, cp, commit, a volume, and a check of the store', async () => {
  await wolffia.busybox()
  const flags = ['--userns', 'keep-id', '-v', 'kept:/vol']
  const script = 'mkdir /made; touch /made/web; busybox chown 33:50 /made/web; touch /vol/file; exec sleep 1000'
  await wolffia.output('run', '-d', '--name', 'keeps', '-u', '0', ...flags, 'busybox', 'sh', '-c', script)
  await wolffia.untilRunning('keeps')
  const owner = async (path: string) => wolffia.output('exec', 'keeps', 'busybox', 'stat', '-c', '%u:%g', path)
  for (let attempt = 0; attempt < 200 && (await wolffia.run(['exec', 'keeps', 'ls', '/vol/file'])).code !== 0; attempt++);
  assert.is(await owner('/made/web'), '33:50\n')
  // Of a new volume the user is the owner, as podman has it; what root makes in it is root's.
  assert.is(await owner('/vol'), `${process.geteuid?.()}:${process.getegid?.()}\n`)
  assert.is(await owner('/vol/file'), '0:0\n')
  assert.match(await wolffia.output('diff', 'keeps'), /^A \/made\/web$/m)
  const listed = async () => (await wolffia.inShell('"$wolffia" cp keeps:/made - | tar -tv --numeric-owner')).stdout
  assert.match(await listed(), / 33\/50 .*made\/web/)
  await wolffia.output('kill', 'keeps')
  assert.match(await listed(), / 33\/50 .*made\/web/)
  await wolffia.output('commit', 'keeps', 'kept-image')
  const usual = ['run', '--rm', '-v', 'kept:/vol', 'kept-image', 'busybox', 'stat', '-c', '%u:%g']
  assert.is(await wolffia.output(...usual, '/made', '/made/web'), '0:0\n33:50\n')
  const [{ HostConfig: host }] = JSON.parse(await wolffia.output('inspect', 'keeps'))
  assert.is(host.UsernsMode, `keep-id:uid=${process.geteuid?.()},gid=${process.getegid?.()}`)
  assert.match(await wolffia.output('system', 'check'), 'Everything is whole.')
})

native('what a container writes into a folder of its user’s belongs to its user', async () => {
  const place = join(wolffia.folder, 'mine')
  await shell(['-v', `${wolffia.folder}:/host`], 'mkdir /host/mine; echo x > /host/mine/file')
  assert.ok(existsSync(join(place, 'file')))
  // Could not be removed otherwise.
  rmSync(place, { recursive: true })
})

test('nothing is left', () => wolffia.end())

test.run()
