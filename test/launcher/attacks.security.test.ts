import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import * as assert from 'uvu/assert'
import type { EngineError } from '../../src/errors.js'
import { assetPath } from '../../src/launcher/installation.js'
import type { Operation } from '../../src/launcher/operations.js'
import { compileGuest } from '../support/compile-guest.js'
import { eventually, idMaps, withBox } from '../support/launcher-box.js'
import { ANSWERS, judgeAnswers } from '../support/native-table.js'
import { BUSYBOX, CC, NATIVE } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('launcher/attacks')
const native = test.needs(NATIVE, BUSYBOX)

for (const idMap of idMaps())
  test.needs(
    NATIVE,
    BUSYBOX,
    CC,
  )(`every attempt of the native table gets its answer under a ${idMap.kind} id map`, () =>
    withBox(async (box) => {
      await compileGuest('attacks', join(box.root, 'attacks'))
      const { stdout, exited, stderr } = await box.run(['/attacks'], { idMap })
      assert.is(exited.code, 0, stdout + stderr)
      assert.equal(judgeAnswers(stdout), { wrong: [], absent: [] })
    }),
  )

/** Holes of the kernel that a guest would reach through namespaces of its own, or a socket, by what opens the way to each. */
const WAYS_INTO_THE_KERNEL: readonly (readonly [cve: string, way: string, rows: readonly string[], shutByFilter: string | null])[] = [
  [
    'CVE-2022-0185',
    'fsopen and fsconfig as root of a namespace',
    ['fsopen', 'unshare-user', 'unshare-mount', 'clone-user', 'clone3'],
    'unshare-user',
  ],
  ['CVE-2022-0492', 'release_agent in a namespace of its own', ['mount', 'unshare-user', 'unshare-cgroup', 'clone-cgroup'], 'unshare-user'],
  [
    'CVE-2023-2640',
    'an overlay in a namespace of its own',
    ['mount', 'fsopen', 'move_mount', 'unshare-user', 'clone-user'],
    'unshare-user',
  ],
  [
    'CVE-2024-1086',
    'netfilter in a namespace of its own',
    ['socket-netfilter', 'unshare-user', 'unshare-net', 'clone-net'],
    'unshare-user',
  ],
  ['CVE-2026-31431', 'the kernel’s cryptography', ['socket-alg'], null],
]

for (const [cve, way, rows, shutByFilter] of WAYS_INTO_THE_KERNEL)
  test.needs(
    NATIVE,
    BUSYBOX,
    CC,
  )(`${cve}: ${way} is shut`, () =>
    withBox(async (box) => {
      await compileGuest('attacks', join(box.root, 'attacks'))
      const answers = async (seccomp: boolean) => {
        const { stdout } = await box.run(['/attacks'], { seccomp })
        return new Map(stdout.split('\n').map((line): [string, string] => [line.split(' ')[0] ?? '', line.split(' ')[1] ?? '']))
      }
      const walled = await answers(true)
      for (const row of rows) assert.match(walled.get(row) ?? 'not tried', ANSWERS[row] ?? /^$/, row)
      // What the filter is for: without it this way answers otherwise, where the kernel has it at all.
      if (shutByFilter === null) return
      const open = await answers(false)
      assert.not.match(open.get(shutByFilter) ?? '', ANSWERS[shutByFilter] ?? /^$/, shutByFilter)
    }),
  )

native('CVE-2019-5736: a guest that is the launcher’s own program through #!/proc/self/exe changes nothing on the host', () =>
  withBox(async (box) => {
    const before = digest(assetPath('launcher'))
    writeFileSync(join(box.root, 'evil'), '#!/proc/self/exe\n', { mode: 0o755 })
    for (const command of ['/evil', '/proc/self/exe']) {
      // Executed in the guest-to-be: at most the launcher's own copy runs, without descriptors, and ends.
      const result = await box.run([command]).catch((error: EngineError) => error.code)
      if (typeof result !== 'string') assert.is.not(result.exited.code, 0)
    }
    const { stdout } = await box.shell('for p in /proc/[0-9]*; do echo x > $p/exe; done 2>/dev/null; echo tried')
    assert.is(stdout, 'tried\n')
    assert.is(digest(assetPath('launcher')), before)
  }),
)

native('CVE-2019-5736: the mode and times of the file behind /proc/PID/exe of a guest that is the launcher stay as they are', () =>
  withBox(async (box) => {
    const before = statSync(assetPath('launcher')).mode
    // A launcher that waits for its plan. Nobody has more rights over it than its own user outside, which is this test.
    const guest = box.launch(['/proc/self/exe'], {
      supervision: [['keep-descriptor', 6, 3]],
      // What a launcher that is not static (the sanitizer's) needs to run as a guest.
      mounts: ['/lib', '/lib64', '/usr/lib'].filter((path) => existsSync(path)).map((path) => ['bind', path, path, 'ro'] as const),
      seccomp: false,
      launch: { descriptors: ['pipe'] },
    })
    const answer = (change: () => void) => {
      try {
        change()
        return 'done'
      } catch (error) {
        return String((error as NodeJS.ErrnoException).code)
      }
    }
    try {
      const { created } = await guest.ready
      await guest.go()
      const path = `/proc/${created.guest}/exe`
      await eventually('the guest is the launcher', () => digest(path) === digest(assetPath('launcher')))
      const now = new Date()
      const answers = {
        chmod: answer(() => chmodSync(path, 0o700)),
        chown: answer(() => chownSync(path, -1, process.getgid?.() ?? -1)),
        utimes: answer(() => utimesSync(path, now, now)),
        // Whatever the mount, the kernel refuses this while the program runs: not enough, but no less.
        write: answer(() => closeSync(openSync(path, 'r+'))).replace('ETXTBSY', 'EROFS'),
      }
      assert.equal(answers, { chmod: 'EROFS', chown: 'EROFS', utimes: 'EROFS', write: 'EROFS' })
    } finally {
      guest.kill()
      for (const stream of [...guest.streams, guest.stdin, guest.stdout, guest.stderr]) stream?.destroy()
      await guest.exited.catch(() => {})
      chmodSync(assetPath('launcher'), before & 0o7777)
    }
  }),
)

native('CVE-2024-21626: no working directory leads out through a leaked descriptor', () =>
  withBox(async (box) => {
    for (let number = 0; number < 24; number++) {
      const error = await box
        .run(['true'], { workingDirectory: `/proc/self/fd/${number}` })
        .catch((thrown: EngineError) => thrown.data.errno)
      assert.ok(['ELOOP', 'ENOENT', 'ENOTDIR'].includes(String(error)), `${number}: ${JSON.stringify(error)}`)
    }
    symlinkSync('/proc/self/fd/7', join(box.root, 'leak'))
    const error = await box.run(['true'], { workingDirectory: '/leak' }).catch((thrown: EngineError) => thrown.data.errno)
    assert.ok(['ELOOP', 'ENOENT'].includes(String(error)), JSON.stringify(error))
  }),
)

native('CVE-2019-19921, CVE-2019-16884: /proc as a symlink in the image is refused', () =>
  withBox(async (box) => {
    mkdirSync(join(box.root, 'elsewhere'))
    symlinkSync('elsewhere', join(box.root, 'proc'))
    const error = await box.run(['true']).catch((thrown: EngineError) => thrown.data)
    assert.equal(error, { operation: 'mount-proc', call: 'openat2', argument: '/proc', errno: 'ELOOP' })
  }),
)

native('CVE-2021-30465, CVE-2025-31133: mounts and masks through an image’s symlinks stay inside the root', () =>
  withBox(async (box) => {
    const outside = join(box.folder, 'outside')
    mkdirSync(outside)
    writeFileSync(join(outside, 'secret'), 'host')
    mkdirSync(join(box.root, outside), { recursive: true })
    for (const [name, target] of [
      ['absolute', outside],
      ['relative', '../../../../../../../../../..'.concat(outside)],
      ['magic', '/proc/self/root'],
    ] as const)
      symlinkSync(target, join(box.root, name))
    const { stdout } = await box.shell(`cat ${outside}/here/plain; cat /absolute/here/plain`, {
      mounts: [
        ['mount-tmpfs', '/absolute', 4096, 8, '0755', ''],
        ['file', '/absolute/here/plain', '0644', 'inside\n'],
        ['directory', '/relative/made', '0755'],
      ],
    })
    assert.is(stdout, 'inside\ninside\n')
    assert.is(existsSync(join(outside, 'made')), false)
    assert.is(existsSync(join(outside, 'here')), false)
    for (const operation of [
      ['mask', '/absolute/secret'],
      ['read-only', '/relative'],
    ] as const) {
      const error = await box.run(['true'], { mounts: [operation] }).catch((thrown: EngineError) => thrown.data.errno)
      assert.is(error, 'ELOOP')
    }
    const error = await box
      .run(['true'], { mounts: [['bind', outside, '/magic/tmp', '']] })
      .catch((thrown: EngineError) => thrown.data.errno)
    assert.is(error, 'ELOOP')
  }),
)

native('a masked folder is empty and stays so, whoever owns what it hides', () =>
  withBox(async (box) => {
    for (const name of ['first', 'second']) {
      mkdirSync(join(box.root, name))
      writeFileSync(join(box.root, name, 'secret'), 'host')
    }
    const { stdout } = await box.shell(
      `for f in /first /second; do
         busybox ls -A $f; echo x 2>/dev/null > $f/made; busybox mkdir $f/made 2>/dev/null; busybox chmod 777 $f 2>/dev/null
         busybox mount -o remount,rw $f 2>/dev/null; busybox umount $f 2>/dev/null; echo x 2>/dev/null > $f/made
         busybox ls -A $f; busybox stat -c %a $f
       done
       busybox grep -E ' /(first|second|etc/marker) ' /proc/self/mountinfo | busybox cut -d' ' -f3 | busybox sort -u | busybox wc -l`,
      {
        mounts: [
          ['mount-file', '/etc/marker', '0644', 'x', ''],
          ['mask', '/first'],
          ['mask', '/second'],
        ],
      },
    )
    // The last line: all of it lies on one file system, that of the container's own files.
    assert.is(stdout, '555\n555\n1\n')
  }),
)

native('CVE-2019-16884: an image’s symlink leads no mount over /proc or /sys', () =>
  withBox(async (box) => {
    const folder = join(box.folder, 'shared')
    const file = join(folder, 'file')
    mkdirSync(folder)
    writeFileSync(file, 'mine')
    for (const [name, target] of [
      ['process', '/proc'],
      ['settings', '../../proc/sys'],
      ['init', '/proc/1'],
      ['version', '/proc/version'],
      ['system', '/sys/kernel'],
    ] as const) {
      symlinkSync(target, join(box.root, name))
      const operation: Operation = name === 'version' ? ['bind', file, `/${name}`, ''] : ['bind', folder, `/${name}`, 'recursive']
      const operations: Operation[] = name === 'version' ? [operation] : [operation, ['mount-tmpfs', `/${name}`, 4096, 8, '0755', '']]
      for (const mount of operations) {
        const error = await box.run(['true'], { mounts: [mount] }).catch((thrown: EngineError) => thrown.data)
        assert.equal(error, { operation: mount[0], call: 'openat2', argument: `/${name}`, errno: 'EXDEV' })
      }
    }
  }),
)

native('CVE-2023-0778: a symlink put anywhere in the path of a source after it was looked at leads nowhere', () =>
  withBox(async (box) => {
    const [checked, secret] = [join(box.folder, 'checked'), join(box.folder, 'secret')]
    for (const folder of [checked, secret]) {
      mkdirSync(join(folder, 'inner'), { recursive: true })
      writeFileSync(join(folder, 'inner', 'file'), folder === secret ? 'secret' : 'mine')
    }
    const source = join(checked, 'inner')
    const bind = (flags: string): Operation => ['bind', source, '/tmp', flags]
    const shown = () => box.run(['cat', '/tmp/file'], { mounts: [bind('recursive,ro,no-symlinks')] })
    assert.is((await shown()).stdout, 'mine')
    renameSync(checked, `${checked}.old`)
    symlinkSync(secret, checked)
    const swapped = await shown().catch((thrown: EngineError) => thrown.data)
    assert.equal(swapped, { operation: 'bind', call: 'openat2', argument: source, errno: 'ELOOP' })
    rmSync(checked)
    renameSync(`${checked}.old`, checked)
    rmSync(source, { recursive: true })
    symlinkSync('../secret/inner', source)
    assert.is(await shown().catch((thrown: EngineError) => thrown.data.errno), 'ELOOP')
    // What the flag is for: without it the launcher goes where the name leads now.
    assert.is((await box.run(['cat', '/tmp/file'], { mounts: [bind('')] })).stdout, 'secret')
  }),
)

native('CVE-2025-31133: /dev/null as a symlink in the image leads no mask over what it names', () =>
  withBox(async (box) => {
    mkdirSync(join(box.root, 'dev'))
    symlinkSync('/proc/sys/kernel/core_pattern', join(box.root, 'dev/null'))
    writeFileSync(join(box.root, 'secret'), 'hidden')
    const { stdout } = await box.shell(
      'echo "[$(cat /secret)]"; busybox stat -c %t:%T /secret; busybox grep -c core_pattern /proc/self/mountinfo',
      {
        mounts: [['mask', '/secret']],
      },
    )
    assert.is(stdout, '[]\n1:3\n0\n')
  }),
)

native('CVE-2020-5291: no file that wolffia installs is setuid or setgid, and a guest has no capability outside of its namespace', () =>
  withBox(async (box) => {
    const folder = join(assetPath('launcher'), '..')
    const special = readdirSync(folder).filter((name) => (statSync(join(folder, name)).mode & 0o6000) !== 0)
    assert.equal(special, [])
    const script = 'busybox grep -E "^(Cap|NoNewPrivs)" /proc/self/status; busybox readlink /proc/self/ns/user'
    const { stdout } = await box.shell(script)
    assert.match(stdout, /^CapInh:\t0+$/m)
    assert.match(stdout, /^CapAmb:\t0+$/m)
    assert.match(stdout, /^NoNewPrivs:\t1$/m)
    assert.not.match(stdout, readlinkSync('/proc/self/ns/user'))
  }),
)

native('CVE-2025-52565: /dev/console as a symlink is refused', () =>
  withBox(async (box) => {
    const error = await box
      .run(['true'], {
        terminal: true,
        mounts: [
          ['symlink', '/dev/console-link', '/proc/sys/kernel/core_pattern'],
          ['mount-console', '/dev/console-link'],
        ],
      })
      .catch((thrown: EngineError) => thrown.data)
    assert.equal(error, { operation: 'mount-console', call: 'openat2', argument: '/dev/console-link', errno: 'ELOOP' })
  }),
)

native('CVE-2017-5226: with a terminal too, TIOCSTI is refused and the caller’s terminal is not the guest’s', () =>
  withBox(async (box) => {
    const process = box.launch(['sh', '-c', 'busybox tty; exec 3</dev/tty; busybox readlink /proc/self/fd/3'], { terminal: true })
    const output = text(process.stdout as Readable)
    await process.ready
    await process.go()
    await process.exited
    assert.is(await output, '/dev/pts/0\r\n/dev/tty\r\n')
  }),
)

native('a plan that would touch the host’s own mounts, name or network is refused whole', () =>
  withBox(async (box) => {
    const hostname = execFileSync('hostname', { encoding: 'utf8' })
    for (const [namespace, operation] of [
      ['mount', 'mount-private'],
      ['uts', 'hostname'],
      ['net', 'loopback-up'],
      ['pid', 'exec'],
    ] as const) {
      const plan = box.plan(['true'])
      const { launch } = await import('../../src/launcher/client.js')
      const operations = plan.operations.filter((step) => !(step[0] === 'namespace' && step[1] === namespace))
      const error = await launch({ ...plan, operations }).ready.catch((thrown: EngineError) => thrown.data)
      assert.is((error as { operation: string }).operation, operation === 'mount-private' ? 'mount-private' : operation)
    }
    assert.is(execFileSync('hostname', { encoding: 'utf8' }), hostname)
  }),
)

native('a setuid program of the image gains nothing', () =>
  withBox(async (box) => {
    const [, range] = idMaps()
    if (range === undefined) return
    const { stdout } = await box.shell('busybox cp /bin/busybox /tmp/b; busybox id -u', { idMap: range, user: [1000, 1000] })
    assert.is(stdout, '1000\n')
    execFileSync('chmod', ['4755', join(box.root, 'bin/busybox')])
    const asRoot = await box.shell('busybox id -u; busybox grep CapEff /proc/self/status', { idMap: range, user: [1000, 1000] })
    assert.is(asRoot.stdout, '1000\nCapEff:\t0000000000000000\n')
  }),
)

function digest(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex')
}

test.run()
