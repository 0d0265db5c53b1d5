/**
 * Tests on another kernel: a virtual machine (bench/machine) with Node, busybox, this package's build and an ordinary user to whom a group of
 * version 2 is delegated, as systemd delegates one. Test files go in as one file each; what they would compile is compiled here.
 */
import { execFileSync, spawn } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { build } from 'esbuild'
import { file, folder, link, type RootEntry, tree } from '../../bench/machine/initramfs.js'
import { exitCodeOf, machineCommand, makeMachine, requireMachine } from '../../bench/machine/machine.js'
import { compileGuest } from './compile-guest.js'
import { foldersOf, librariesOf } from './program-files.js'
import type { Requirement } from './suite.js'

/** QEMU, and a kernel for it. */
export const MACHINE: Requirement = {
  name: 'machine',
  missing: async () => {
    try {
      requireMachine()
      return null
    } catch (error) {
      return (error as Error).message
    }
  },
}

/** What came of a script in the machine. */
export interface MachineResult {
  /** Null for a machine that did not come to its end. */
  readonly exitCode: number | null
  readonly stdout: string
  /** What the kernel and the script's standard error said. */
  readonly console: string
}

/** What a machine is made of, beside what all have. */
export interface MachineContents {
  /** A script of the ordinary user's, in the package's folder. */
  readonly script: string
  /** Test files, as `test/native/control-group`; there they are `tests/` and their {@link bundleName}. */
  readonly tests: readonly string[]
  /** Guests of test/fixtures. */
  readonly guests: readonly string[]
  readonly deadlineMs: number
}

const USER = 1000
const MODULES = ['overlay', 'tun', 'fuse', 'virtio_blk', 'bfq']
/** Sparse. Only a file system on a disk has the attributes that an overlay of an ordinary user's keeps its marks in, before Linux 6.6. */
const DISK_BYTES = 2 ** 30

/** As root: what a distribution's boot and systemd would have done. */
const SETUP = `
chmod 0666 /dev/net/tun /dev/fuse /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty /dev/ptmx
groups=/sys/fs/cgroup
echo '+memory +cpu +cpuset +io +pids' >$groups/cgroup.subtree_control
mkdir $groups/user
mkdir $groups/user/session
for folder in $groups/user $groups/user/session; do
  chown user $folder $folder/cgroup.procs $folder/cgroup.subtree_control $folder/cgroup.threads
done
echo bfq >/sys/block/vda/queue/scheduler
mount -t ext4 /dev/vda /disk
mkdir /disk/home /disk/tmp
chown user /disk/home
chmod 1777 /disk/tmp
mount -o bind /disk/home /home/user
mount -o bind /disk/tmp /tmp
cd /wolffia
# Nothing of root's may be among the processes: the kernel would not let the user turn on cpuset for them.
exec 2>&1
sh -c 'echo $$ >/sys/fs/cgroup/user/session/cgroup.procs; exec su -s /bin/sh user -c "exec sh /wolffia/script"'
`

/** Stands where a compiler would: gives what has been compiled. */
const COMPILER = `#!/bin/sh
while [ $# -gt 0 ]; do
  case $1 in
    -o) output=$2 ;;
    test/fixtures/*.c) exec cp /wolffia/guests/$(basename $1 .c) "$output" ;;
  esac
  shift
done
`

/** Runs a script in a machine of its own. Nothing of it is left; a machine past its deadline is ended. */
export async function runInMachine({ script, tests, guests, deadlineMs }: MachineContents): Promise<MachineResult> {
  const directory = mkdtempSync(join(tmpdir(), 'wolffia-machine-'))
  try {
    for (const test of tests) await bundle(test, join(directory, bundleName(test)))
    for (const guest of guests) await compileGuest(guest, join(directory, guest))
    const own: RootEntry[] = [
      folder('wolffia', 0o755, USER),
      file('wolffia/package.json', readFileSync('package.json')),
      file('wolffia/script', script),
      file('wolffia/setup', SETUP),
      folder('wolffia/tests'),
      ...tests.map((test) => file(`wolffia/tests/${bundleName(test)}`, readFileSync(join(directory, bundleName(test))))),
      folder('wolffia/guests'),
      ...guests.map((guest) => file(`wolffia/guests/${guest}`, readFileSync(join(directory, guest)), 0o755)),
      folder('wolffia/dist', 0o755, USER),
      ...tree(resolve('dist'), 'wolffia/dist', USER),
    ]
    const machine = await makeMachine(directory, resolve('bench/machine/init.c'), [...systemEntries(), ...own], MODULES)
    const consolePath = join(directory, 'console')
    const words = ['/bin/sh', '/wolffia/setup']
    const diskPath = join(directory, 'disk')
    execFileSync('mke2fs', ['-q', '-t', 'ext4', diskPath, String(DISK_BYTES / 1024)], {
      env: { PATH: `${process.env.PATH}:/sbin:/usr/sbin` },
    })
    const command = machineCommand(machine, { words, memoryMebibytes: 2048, processors: 2, consolePath, diskPath })
    const outputPath = join(directory, 'output')
    const status = await runUntil(command, outputPath, deadlineMs)
    return {
      exitCode: status === null ? null : exitCodeOf(status),
      stdout: readFileSync(outputPath, 'utf8'),
      console: readFileSync(consolePath, 'latin1'),
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** What a test file is called in the machine. */
export const bundleName = (test: string) => `${test.replaceAll('/', '-')}.cjs`

async function bundle(test: string, outfile: string): Promise<void> {
  await build({
    entryPoints: [resolve(`${test}.test.ts`)],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    alias: { '#images': resolve('images/make.ts') },
    define: { 'import.meta.url': 'importMetaUrl' },
    banner: { js: "const importMetaUrl = require('node:url').pathToFileURL(__filename).href;" },
  })
}

function* systemEntries(): Generator<RootEntry> {
  for (const path of ['bin', 'dev', 'disk', 'etc', 'home', 'lib64', 'proc', 'root', 'sys', 'usr', 'usr/bin', 'var']) yield folder(path)
  for (const path of ['tmp', 'var/tmp']) yield folder(path, 0o1777)
  yield folder('home/user', 0o755, USER)
  yield file('etc/passwd', `root:x:0:0::/root:/bin/sh\nuser:x:${USER}:${USER}::/home/user:/bin/sh\n`)
  yield file('etc/group', `root:x:0:\nuser:x:${USER}:\n`)
  for (const name of ['subuid', 'subgid']) yield file(`etc/${name}`, 'user:100000:65536\n')
  yield file('bin/busybox', readFileSync('/bin/busybox'), 0o755)
  yield file('usr/bin/cc', COMPILER, 0o755)
  // A shell that is not busybox's, which takes its own applets for what a script names.
  const programs = [
    ['bin/sh', realpathSync('/bin/sh'), 0o755],
    ['usr/bin/node', process.execPath, 0o755],
    ['usr/bin/tar', '/bin/tar', 0o755],
    ['usr/bin/newuidmap', '/usr/bin/newuidmap', 0o4755],
    ['usr/bin/newgidmap', '/usr/bin/newgidmap', 0o4755],
    ['usr/bin/stress-ng', '/usr/bin/stress-ng', 0o755],
  ] as const
  const applets = execFileSync('/bin/busybox', ['--list'], { encoding: 'utf8' }).trim().split('\n')
  const there = new Set(['busybox', ...programs.map(([path]) => basename(path))])
  for (const applet of applets) if (!there.has(applet)) yield link(`bin/${applet}`, 'busybox')
  for (const [path, from, mode] of programs) yield file(path, readFileSync(from), mode)
  const libraries = [...new Set(programs.flatMap(([, from]) => librariesOf(from)))]
  for (const path of foldersOf(libraries)) if (path !== 'lib64') yield folder(path)
  for (const path of libraries) yield file(path.slice(1), readFileSync(realpathSync(path)), 0o755)
}

/** Null for one that was still there at its deadline. */
async function runUntil(
  [program, ...words]: readonly [string, ...string[]],
  outputPath: string,
  deadlineMs: number,
): Promise<number | null> {
  const output = openSync(outputPath, 'w')
  const child = spawn(program, words, { stdio: ['ignore', output, 'inherit'] })
  closeSync(output)
  const end = () => child.kill('SIGKILL')
  const timer = setTimeout(end, deadlineMs)
  process.once('exit', end)
  try {
    return await new Promise((done, reject) => child.once('error', reject).once('close', done))
  } finally {
    clearTimeout(timer)
    process.off('exit', end)
  }
}
