/**
 * A small container straight over the launcher: busybox in an overlay, everything a real plan has. For tests of the launcher
 * itself, which must not depend on the policy of `native/`.
 */
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { release, tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import type { LauncherProcess, LaunchOptions } from '../../src/launcher/client.js'
import { launch } from '../../src/launcher/client.js'
import type { IdMap } from '../../src/launcher/id-map.js'
import { chooseIdMap, idMapOperations, singleIdMap } from '../../src/launcher/id-map.js'
import { assetPath, seccompAsset } from '../../src/launcher/installation.js'
import type { Operation, Plan } from '../../src/launcher/operations.js'
import type { ExitedEvent } from '../../src/launcher/protocol.js'

/** A tmpfs has the attributes for it from Linux 6.6 on. */
const HAS_UPPER_IN_MEMORY = release().localeCompare('6.6', 'en', { numeric: true }) >= 0

/** The maps this host has: a single id always, a range where subuid gives one. */
export function idMaps(): IdMap[] {
  const { map } = chooseIdMap()
  return map.kind === 'range' ? [singleIdMap(), map] : [singleIdMap()]
}

/** A folder with a busybox root in `root`, gone afterwards. */
export async function withBox(body: (box: Box) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'wolffia-launcher-'))
  try {
    const root = join(folder, 'root')
    for (const name of ['bin', 'etc', 'tmp', 'home']) mkdirSync(join(root, name), { recursive: true, mode: 0o755 })
    for (const [path, mode] of [
      [folder, 0o755],
      [join(root, 'tmp'), 0o777],
    ] as const)
      chmodSync(path, mode)
    copyFileSync('/bin/busybox', join(root, 'bin/busybox'))
    chmodSync(join(root, 'bin/busybox'), 0o755)
    for (const name of ['sh', 'cat', 'sleep', 'kill', 'true']) symlinkSync('busybox', join(root, 'bin', name))
    await body(new Box(folder, root))
  } finally {
    // The kernel's own folder below each, of mode 0.
    for (const name of readdirSync(folder).filter((name) => name.startsWith('upper-'))) {
      const work = join(folder, name, 'work/work')
      if (existsSync(work)) chmodSync(work, 0o700)
    }
    rmSync(folder, { recursive: true, force: true })
  }
}

/** What differs from one box to the next. */
export interface BoxOptions {
  readonly idMap?: IdMap
  readonly env?: readonly string[]
  readonly terminal?: boolean
  readonly stdin?: 'open' | 'kept' | 'closed'
  /** Parent's operations, before all others. */
  readonly supervision?: readonly Operation[]
  /** Between the mounts and switch-root. */
  readonly mounts?: readonly Operation[]
  /** In the guest-to-be, before privileges are dropped. */
  readonly guest?: readonly Operation[]
  readonly user?: readonly [uid: number, gid: number]
  readonly workingDirectory?: string
  readonly seccomp?: boolean
  readonly launch?: LaunchOptions
}

/** How a program in a box ended and what it wrote. */
export interface BoxResult {
  readonly exited: ExitedEvent
  readonly stdout: string
  readonly stderr: string
}

/** One root, for any number of containers. */
export class Box {
  readonly folder: string
  readonly root: string

  constructor(folder: string, root: string) {
    this.folder = folder
    this.root = root
  }

  plan(args: readonly string[], options: BoxOptions = {}): Plan {
    const { idMap = singleIdMap(), terminal = false, stdin = 'closed', user = [0, 0] } = options
    return {
      operations: [
        ...idMapOperations(idMap),
        ...['mount', 'pid', 'ipc', 'uts', 'net', 'cgroup'].map((name): Operation => ['namespace', name]),
        ['stdio', terminal ? 'terminal' : 'pipes', stdin],
        ...(options.supervision ?? []),
        ['hostname', 'box'],
        ['loopback-up'],
        ['mount-private'],
        ['overlay-lower', this.root],
        HAS_UPPER_IN_MEMORY ? ['overlay-upper-memory', 16 << 20, 4096] : this.#upperOnDisk(),
        ['root-overlay'],
        ['mount-proc', '/proc'],
        ['mount-sysfs', '/sys'],
        ['mount-tmpfs', '/dev', 65536, 64, '0755', 'nosuid,noexec'],
        ...['null', 'zero', 'full', 'random', 'urandom'].map(
          (name): Operation => ['bind', `/dev/${name}`, `/dev/${name}`, 'ro,nosuid,noexec'],
        ),
        ['symlink', '/dev/stdout', '/proc/self/fd/1'],
        ['mount-devpts', '/dev/pts'],
        ...(terminal ? ['/dev/console', '/dev/tty'].map((path): Operation => ['mount-console', path]) : []),
        ['mask', '/proc/keys'],
        ['mask', '/proc/timer_list'],
        ['mask', '/proc/kcore'],
        ['mask', '/proc/acpi'],
        ['mask', '/proc/pressure'],
        ['mask', '/proc/kallsyms'],
        ['mask', '/proc/kmsg'],
        ['mask', '/sys/firmware'],
        ['read-only', '/proc/sys'],
        ['read-only', '/proc/irq'],
        ['read-only', '/proc/sysrq-trigger'],
        ...(options.mounts ?? []),
        ['switch-root'],
        ...(options.guest ?? []),
        ['umask', '0022'],
        ['working-directory', options.workingDirectory ?? '/'],
        ['user', ...user],
        ['capabilities', 'a80425fb', 'a80425fb'],
        ['no-new-privileges'],
        ['landlock-scope', 'abstract-unix-socket'],
        ...(options.seccomp === false ? [] : [['seccomp'] as const]),
      ],
      exec: { args, env: options.env ?? ['PATH=/bin'] },
    }
  }

  #upperOnDisk(): Operation {
    const folder = mkdtempSync(join(this.folder, 'upper-'))
    const [upper, work] = [join(folder, 'upper'), join(folder, 'work')]
    for (const path of [upper, work]) mkdirSync(path)
    return ['overlay-upper', upper, work]
  }

  launch(args: readonly string[], options: BoxOptions = {}): LauncherProcess {
    const asset = seccompAsset()
    if (asset === null) throw new Error(`no seccomp program for ${process.arch}`)
    return launch(this.plan(args, options), {
      stdio: ['pipe', 'pipe', 'pipe'],
      seccompProgramPath: assetPath(asset),
      ...options.launch,
    })
  }

  /** Runs to the end; `input` is all of stdin. */
  async run(args: readonly string[], options: BoxOptions & { readonly input?: string } = {}): Promise<BoxResult> {
    const process = this.launch(args, { stdin: options.input === undefined ? 'closed' : 'open', ...options })
    const output = Promise.all([read(process.stdout), read(process.stderr)])
    process.stdin?.on('error', () => {})
    process.stdin?.end(options.input ?? '')
    await process.ready
    await process.go()
    const exited = await process.exited
    const [stdout, stderr] = await output
    return { exited, stdout, stderr }
  }

  /** The same, with a shell script. */
  shell(script: string, options: BoxOptions & { readonly input?: string } = {}): Promise<BoxResult> {
    return this.run(['sh', '-c', script], options)
  }
}

function read(stream: Readable | null): Promise<string> {
  return stream === null ? Promise.resolve('') : text(stream)
}

/** Host pids of processes of ours whose command line holds `marker`. */
export function processesWith(marker: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(marker)
      } catch {
        return false
      }
    })
    .map(Number)
}

/** Waits until `condition` holds; fails after twenty seconds. */
export async function eventually(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 2000; attempt++) {
    if (await condition()) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error(`did not come to pass in 20 s: ${what}`)
}
