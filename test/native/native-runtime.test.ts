import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import * as assert from 'uvu/assert'
import { EngineError } from '../../src/errors.js'
import { chooseIdMap, singleIdMap } from '../../src/launcher/id-map.js'
import type { ExitStatus } from '../../src/runtime/exit.js'
import type { Receipt } from '../../src/runtime/receipt.js'
import type { CreateRequest } from '../../src/runtime/runtime.js'
import type { ProcessSpec } from '../../src/runtime/spec.js'
import { readEndRecord } from '../../src/runtime/supervision.js'
import type { NativeWall } from '../support/native-wall.js'
import { withNativeWall } from '../support/native-wall.js'
import { BUSYBOX, ID_RANGE, NATIVE } from '../support/requirements.js'
import type { SpecChange } from '../support/specs.js'
import { containerSpec } from '../support/specs.js'
import { busyboxEntries, packEntry, storedRootfs, storeLayer } from '../support/stored-layers.js'
import { suite } from '../support/suite.js'

const test = suite('native/native-runtime')
const native = test.needs(NATIVE, BUSYBOX)

let containers = 0

interface Ran extends ExitStatus {
  readonly stdout: string
  readonly stderr: string
}

/** Runs a shell script to its end and gives back everything it did. */
async function shell(wall: NativeWall, script: string, change: SpecChange = {}, request: Partial<CreateRequest> = {}): Promise<Ran> {
  const directory = join(wall.folder, `container-${++containers}`)
  mkdirSync(directory)
  const spec = containerSpec({ ...change, process: { args: ['/bin/sh', '-c', script], env: ['PATH=/bin'], ...change.process } })
  const task = await wall.runtime.create({ id: `c${containers}`, directory, spec, rootfs: wall.rootfs, openStdin: false, ...request })
  try {
    const output = Promise.all([text(task.stdout), task.stderr === null ? '' : text(task.stderr)])
    await task.start()
    const status = await task.wait()
    const [stdout, stderr] = await output
    return { ...status, stdout, stderr }
  } finally {
    await task.delete()
    await wall.runtime.discard('', directory)
  }
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'it was not refused',
    (error: unknown) => (error instanceof EngineError ? error.code : String(error)),
  )
}

native('a container has the host name, processes, devices and loopback of its own', () =>
  withNativeWall(async (wall) => {
    const script = 'busybox hostname; busybox ls /proc | busybox grep -c "^[0-9]*$"; busybox ls /dev; busybox ip -o link | busybox wc -l'
    const { stdout, exitCode } = await shell(wall, script, { hostname: 'duckweed' })
    assert.is(exitCode, 0)
    const lines = stdout.trimEnd().split('\n')
    assert.is(lines[0], 'duckweed')
    // init, the shell, and what the pipe runs.
    assert.ok(Number(lines[1]) <= 5, lines[1])
    assert.equal(lines.slice(2, -1), [
      'fd',
      'full',
      'mqueue',
      'null',
      'ptmx',
      'pts',
      'random',
      'shm',
      'stderr',
      'stdin',
      'stdout',
      'urandom',
      'zero',
    ])
    assert.is(lines.at(-1), '1')
  }),
)

native('hosts and resolv.conf are ours, written to like any file but for a read-only root, and the host name resolves', () =>
  withNativeWall(async (wall) => {
    const script = 'busybox cat /etc/hosts /etc/hostname /etc/resolv.conf; echo x >> /etc/hosts; busybox tail -n 1 /etc/hosts'
    for (const ephemeral of [true, false]) {
      const { stdout } = await shell(wall, script, { ephemeral })
      assert.match(stdout, /127\.0\.0\.1\tguest\n/)
      assert.match(stdout, /no network/)
      assert.match(stdout, /x\n$/)
    }
    const { stdout, stderr } = await shell(wall, script, { readonlyRootfs: true })
    assert.match(stdout, /127\.0\.0\.1\tguest\n$/)
    assert.match(stderr, /Read-only file system/)
  }),
)

native('what the network shows in /proc belongs to the guest’s root, at every start', () =>
  withNativeWall(async (wall) => {
    for (let start = 0; start < 15; start++)
      assert.is(
        (await shell(wall, 'busybox stat -c %u:%g /proc/net/dev /proc/net/ip_tables_names 2>/dev/null | busybox sort -u')).stdout,
        '0:0\n',
      )
  }),
)

native('the root has the mode that the image gives it', () =>
  withNativeWall(async (wall) => {
    const entries = busyboxEntries().map((entry) => (entry.path === '' ? { ...entry, mode: 0o511 } : entry))
    const rootfs = storedRootfs([storeLayer(wall.folder, entries), storeLayer(wall.folder, [packEntry('extra', { type: 'directory' })])])
    for (const ephemeral of [true, false]) assert.is((await shell(wall, 'busybox stat -c %a /', { ephemeral }, { rootfs })).stdout, '511\n')
  }),
)

native('a read-only root refuses writes and keeps tmpfs mounts writable', () =>
  withNativeWall(async (wall) => {
    const mounts = [{ type: 'tmpfs', destination: '/scratch', readonly: false }] as const
    const { stdout, stderr } = await shell(wall, 'echo x > /file; echo y > /scratch/file && busybox cat /scratch/file', {
      readonlyRootfs: true,
      ephemeral: false,
      mounts,
    })
    assert.match(stderr, /Read-only file system/)
    assert.is(stdout, 'y\n')
  }),
)

native('a bind mount shows the host folder, and a read-only one cannot be written or remounted', () =>
  withNativeWall(async (wall) => {
    const source = join(wall.folder, 'shared')
    mkdirSync(source)
    writeFileSync(join(source, 'from-host'), 'hello')
    const bind = (readonly: boolean) => ({ mounts: [{ type: 'bind', source, destination: '/shared', readonly }] as const })
    assert.is((await shell(wall, 'busybox cat /shared/from-host; echo back > /shared/from-guest', bind(false))).stdout, 'hello')
    assert.is(readFileSync(join(source, 'from-guest'), 'utf8'), 'back\n')
    assert.is(statSync(join(source, 'from-guest')).uid, process.getuid?.())
    const refused = await shell(wall, 'echo x > /shared/from-guest; busybox mount -o remount,rw /shared; echo y > /shared/more', bind(true))
    assert.match(refused.stderr, /Read-only file system/)
    assert.is(readFileSync(join(source, 'from-guest'), 'utf8'), 'back\n')
  }),
)

native('a bind source that does not exist is refused and not made', () =>
  withNativeWall(async (wall) => {
    const mounts = [{ type: 'bind', source: join(wall.folder, 'missing'), destination: '/x', readonly: false }] as const
    assert.is(await codeOf(shell(wall, 'true', { mounts })), 'INVALID_ARGUMENT')
    assert.is(statSync(join(wall.folder, 'missing'), { throwIfNoEntry: false }), undefined)
  }),
)

native('sizes of tmpfs, /dev/shm and the writable layer hold', () =>
  withNativeWall(async (wall) => {
    const fill = (path: string) => `busybox dd if=/dev/zero of=${path} bs=64k 2>/dev/null; busybox stat -c %s ${path}`
    const { stdout } = await shell(wall, [fill('/small/file'), fill('/dev/shm/file'), fill('/file')].join('; '), {
      mounts: [{ type: 'tmpfs', destination: '/small', sizeBytes: 1 << 20, readonly: false }],
      limits: { diskBytes: 3 << 20 },
    })
    const sizes = stdout.trimEnd().split('\n').map(Number)
    assert.equal(sizes.slice(0, 2), [1 << 20, 64 << 20])
    assert.ok((sizes[2] ?? 0) > 2 << 20 && (sizes[2] ?? 0) <= 3 << 20, String(sizes[2]))
  }),
)

native('tables, and a disk limit for a layer on disk fail by name and with the way out', () =>
  withNativeWall(async (wall) => {
    assert.is(await codeOf(shell(wall, 'true', { limits: { tableElements: 10 } })), 'UNSUPPORTED_BY_HOST')
    assert.is(await codeOf(shell(wall, 'true', { limits: { diskBytes: 1 << 20 }, ephemeral: false })), 'UNSUPPORTED_BY_HOST')
  }),
)

test.needs(
  NATIVE,
  BUSYBOX,
  ID_RANGE,
)('a user, its group and its other groups are those asked for, without any capability', () =>
  withNativeWall(async (wall) => {
    const user = { uid: 1000, gid: 1001, additionalGids: [5, 7] }
    const { stdout } = await shell(wall, 'busybox id -u; busybox id -g; busybox id -G; busybox grep Cap /proc/self/status', {
      process: { user },
    })
    const lines = stdout.trimEnd().split('\n')
    assert.equal(lines.slice(0, 3), ['1000', '1001', '1001 5 7'])
    assert.equal(
      lines.slice(3).map((line) => line.split('\t')[1]),
      Array(5).fill('0000000000000000'),
    )
  }),
)

native('under a single id a program runs as root and another user is refused by name', () =>
  withNativeWall(
    async (wall) => {
      assert.is((await shell(wall, 'busybox id -u')).stdout, '0\n')
      const user = { uid: 1000, gid: 1000, additionalGids: [] }
      assert.is(await codeOf(shell(wall, 'true', { process: { user } })), 'UNSUPPORTED_BY_HOST')
    },
    { idMap: singleIdMap() },
  ),
)

for (const map of [singleIdMap, () => chooseIdMap().map])
  native(`what root of a container writes into a folder of its user’s is the user’s (${map().kind} map)`, () =>
    withNativeWall(
      async (wall) => {
        const mine = join(wall.folder, 'mine')
        mkdirSync(mine)
        await shell(wall, 'echo x > /mine/file; busybox mkdir /mine/folder', {
          mounts: [{ type: 'bind', source: mine, destination: '/mine', readonly: false }],
        })
        for (const name of ['file', 'folder']) {
          const { uid, gid } = statSync(join(mine, name))
          assert.equal([uid, gid], [process.geteuid?.(), process.getegid?.()], name)
        }
      },
      { idMap: map() },
    ),
  )

native('a terminal is one: it has a size, echoes, turns newlines, and the guest leads its session', () =>
  withNativeWall(async (wall) => {
    const { stdout } = await shell(
      wall,
      'busybox tty; busybox stty size; busybox ls -l /dev/console',
      { process: { terminal: true } },
      {
        terminalSize: { rows: 30, columns: 100 },
      },
    )
    assert.match(stdout, /^\/dev\/pts\/0\r\n30 100\r\n/)
    assert.match(stdout, /\/dev\/console/)
  }),
)

native('an image whose /etc/resolv.conf is a dangling symlink gets ours in its place', () =>
  withNativeWall(async (wall) => {
    const link = packEntry('etc/resolv.conf', { type: 'symlink', target: '../run/systemd/resolve/stub-resolv.conf', mode: 0o777 })
    const rootfs = storedRootfs([storeLayer(wall.folder, [...busyboxEntries(), packEntry('etc', { type: 'directory' }), link])])
    const { stdout } = await shell(wall, 'busybox cat /etc/resolv.conf; busybox ls /run', {}, { rootfs })
    assert.is(stdout, '# this container has no network\n')
  }),
)

test.needs(
  NATIVE,
  BUSYBOX,
  ID_RANGE,
)('a guest of another user is found and ended from elsewhere', () =>
  withNativeWall(async (wall) => {
    const directory = join(wall.folder, 'other-user')
    mkdirSync(directory)
    const user = { uid: 1000, gid: 1000, additionalGids: [] }
    const spec = containerSpec({ process: { args: ['/bin/busybox', 'sleep', '60'], user } })
    const task = await wall.runtime.create({ id: 'x', directory, spec, rootfs: wall.rootfs, openStdin: false })
    try {
      await task.start()
      await (await wall.runtime.open('x', directory))?.kill('SIGTERM')
      assert.equal((await task.wait()).signal, 'SIGTERM')
    } finally {
      await task.delete()
    }
  }),
)

/** One more program in a running container, to its end. */
async function joined(
  wall: NativeWall,
  directory: string,
  change: SpecChange,
  process: Partial<ProcessSpec>,
  outlives = false,
): Promise<Ran & { receipt: Receipt }> {
  const spec = containerSpec(change)
  const task = await wall.runtime.exec({
    id: 'joined',
    directory,
    spec,
    process: { ...spec.process, env: ['PATH=/bin'], ...process },
    openStdin: false,
    outlives,
    endRecord: outlives ? join(directory, 'exec.json') : null,
  })
  const output = Promise.all([text(task.stdout), task.stderr === null ? '' : text(task.stderr)])
  const receipt = await task.receipt()
  await task.start()
  const status = await task.wait()
  const [stdout, stderr] = await output
  await task.delete()
  return { ...status, stdout, stderr, receipt }
}

async function withRunning(
  wall: NativeWall,
  change: SpecChange,
  body: (directory: string, receipt: Receipt) => Promise<void>,
): Promise<void> {
  const directory = join(wall.folder, `container-${++containers}`)
  mkdirSync(directory)
  const spec = containerSpec({
    ...change,
    process: { args: ['/bin/sh', '-c', 'echo there > /tmp/note; sleep 1000'], env: ['PATH=/bin'], ...change.process },
  })
  const task = await wall.runtime.create({ id: `c${containers}`, directory, spec, rootfs: wall.rootfs, openStdin: false })
  try {
    await task.start()
    await body(directory, await task.receipt())
  } finally {
    await task.delete()
    await wall.runtime.discard('', directory)
  }
}

for (const map of ['single', 'range'] as const)
  (map === 'single' ? native : test.needs(NATIVE, BUSYBOX, ID_RANGE))(
    `one more program has exactly what the container's own has, and no more (${map})`,
    () =>
      withNativeWall(
        (wall) =>
          withRunning(wall, { limits: { pids: 100, openFiles: 512 } }, async (directory, own) => {
            const { receipt, stdout, exitCode } = await joined(
              wall,
              directory,
              { limits: { pids: 100, openFiles: 512 } },
              { args: ['/bin/sh', '-c', 'cat /tmp/note; exit 9'] },
            )
            assert.equal([stdout, exitCode], ['there\n', 9])
            const shown = ({ kernel }: Receipt) => ({ ...kernel, supervisor: null, workingDirectory: null })
            assert.equal(shown(receipt), shown(own))
            assert.ok(
              Object.values(receipt.crossCheck).every((agrees) => agrees),
              JSON.stringify(receipt.crossCheck),
            )
          }),
        map === 'single' ? { idMap: singleIdMap() } : {},
      ),
  )

native('one more program is refused with the reason: none there, not executable, no such folder, nothing running', () =>
  withNativeWall((wall) =>
    withRunning(wall, {}, async (directory) => {
      const refused = (process: Partial<ProcessSpec>, where = directory) => codeOf(joined(wall, where, {}, process))
      assert.is(await refused({ args: ['nosuch'] }), 'COMMAND_NOT_FOUND')
      assert.is(await refused({ args: ['/tmp'] }), 'COMMAND_NOT_EXECUTABLE')
      assert.is(await refused({ args: ['/bin/true'], cwd: '/nowhere' }), 'LAUNCHER_FAILED')
      assert.is(await refused({ args: ['/bin/true'] }, join(wall.folder, 'nowhere')), 'CONFLICT')
    }),
  ),
)

native('one more program for a container that ends at this moment runs, is killed with it, or is refused because it does not run', () =>
  withNativeWall(async (wall) => {
    const seen = new Set<unknown>()
    for (let round = 0; round < 30; round++)
      await withRunning(wall, { process: { args: ['/bin/busybox', 'usleep', String(1000 + 1500 * round)] } }, async (directory) => {
        for (let ended = false; !ended; ) {
          const outcome = await joined(wall, directory, {}, { args: ['/bin/busybox', 'true'] }).then(
            ({ signal, exitCode }) => signal ?? exitCode,
            (error: unknown) =>
              error instanceof EngineError ? `${error.code}: ${error.code === 'CONFLICT' ? '' : error.message}` : String(error),
          )
          seen.add(outcome)
          ended = outcome !== 0
        }
      })
    assert.equal(
      [...seen].filter((outcome) => ![0, 'SIGKILL', 'CONFLICT: '].includes(outcome as never)),
      [],
    )
  }),
)

native('a file of a running container is read as it is there, whatever the guest put in its place', () =>
  withNativeWall((wall) =>
    withRunning(wall, {}, async (directory) => {
      const script = `echo own > /etc/passwd; ln -s ${wall.folder}/secret /tmp/host; ln -s ../../../../../etc/passwd /tmp/up; ln -s /proc/1/root/etc/passwd /tmp/magic
        busybox mkfifo /tmp/fifo; ln -s /dev/zero /tmp/zero; ln -s loop /tmp/loop; busybox seq 100000 > /tmp/long`
      writeFileSync(join(wall.folder, 'secret'), 'of the host')
      assert.is((await joined(wall, directory, {}, { args: ['/bin/sh', '-c', script] })).exitCode, 0)
      const read = async (path: string) => (await wall.runtime.readFile(directory, containerSpec(), path, 1000)).toString()
      for (const path of ['/etc/passwd', '/tmp/up']) assert.is(await read(path), 'own\n', path)
      for (const path of ['/tmp/host', '/tmp/fifo', '/tmp/zero', '/tmp', '/nowhere', '/etc/passwd/x']) assert.is(await read(path), '', path)
      for (const path of ['/tmp/magic', '/tmp/loop']) assert.is(await codeOf(read(path)), 'LAUNCHER_FAILED', path)
      assert.is((await read('/tmp/long')).length, 1000)
    }),
  ),
)

native('CVE-2024-21626: a working directory of one more program through a descriptor is refused', () =>
  withNativeWall((wall) =>
    withRunning(wall, {}, async (directory) => {
      for (let descriptor = 3; descriptor < 24; descriptor++)
        assert.is(await codeOf(joined(wall, directory, {}, { args: ['/bin/true'], cwd: `/proc/self/fd/${descriptor}` })), 'LAUNCHER_FAILED')
    }),
  ),
)

native('CVE-2019-5736: the program that one more program is started by cannot be written to', () =>
  withNativeWall((wall) =>
    withRunning(wall, {}, async (directory) => {
      // Executed as the guest's own program, it may be looked into by anybody in the container.
      const { stdout } = await joined(
        wall,
        directory,
        {},
        {
          args: [
            '/bin/sh',
            '-c',
            'ln -sf /proc/self/exe /tmp/self; (/tmp/self <&- & p=$!; for i in 1 2 3 4 5; do echo x 2>/dev/null >>/proc/$p/exe && echo WRITTEN; done; wait); echo end',
          ],
        },
      )
      assert.is(stdout.replace(/.*launcher: reads.*\n/, ''), 'end\n')
    }),
  ),
)

native('one more program at a terminal has the container’s devpts, and one that outlives leaves its exit code', () =>
  withNativeWall((wall) =>
    withRunning(wall, {}, async (directory) => {
      const { stdout } = await joined(wall, directory, {}, { args: ['/bin/sh', '-c', 'busybox tty; busybox stty size'], terminal: true })
      assert.match(stdout.replaceAll('\r', ''), /^\/dev\/pts\/\d+\n24 80\n$/)
      assert.is((await joined(wall, directory, {}, { args: ['/bin/sh', '-c', 'exit 6'] }, true)).exitCode, 6)
      assert.is(readEndRecord(join(directory, 'exec.json'))?.code, 6)
    }),
  ),
)

native('two containers see nothing of each other', () =>
  withNativeWall(async (wall) => {
    const [one, two] = await Promise.all([
      shell(wall, 'echo mine > /tmp/mine; busybox sleep 0.3; busybox ls /tmp; busybox ps | busybox grep -c sleep'),
      shell(wall, 'echo yours > /tmp/yours; busybox sleep 0.3; busybox ls /tmp'),
    ])
    assert.match(one.stdout, /^mine\n/)
    assert.is(two.stdout, 'yours\n')
  }),
)

native("the host's network shows the host's interfaces and its resolv.conf", () =>
  withNativeWall(async (wall) => {
    const { stdout } = await shell(wall, 'busybox cat /etc/resolv.conf /proc/net/dev', { network: { mode: 'host' } })
    assert.ok(stdout.includes(readFileSync('/etc/resolv.conf', 'utf8')))
    for (const [, name] of readFileSync('/proc/net/dev', 'utf8').matchAll(/^\s*([^\s:|]+):/gm)) assert.match(stdout, `${name}:`)
  }),
)

test.run()
