/**
 * The bombs of stress-ng, each against the limit that is there for it, while another container does its work beside. A bomb goes on until it
 * has been seen at its limit, and never beyond; how long the neighbour had to wait is printed and not judged, being the machine's as much as ours.
 */
import { mkdirSync, readdirSync, readFileSync, statfsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import type { PackEntry } from '../../src/layer/pack.js'
import { availability } from '../../src/native/availability.js'
import { groupWith } from '../../src/runtime/control-groups.js'
import type { ExitReason } from '../../src/runtime/exit.js'
import { guestPids, readUsage } from '../../src/runtime/guest-processes.js'
import type { Task } from '../../src/runtime/runtime.js'
import type { Rootfs } from '../../src/runtime/spec.js'
import { compileGuest } from '../support/compile-guest.js'
import { type NativeWall, withNativeWall } from '../support/native-wall.js'
import { programEntries } from '../support/program-files.js'
import { BUSYBOX, CC, CGROUP, NATIVE, STRESS } from '../support/requirements.js'
import { containerSpec, type SpecChange } from '../support/specs.js'
import { busyboxEntries, packFile, storedRootfs, storeLayer } from '../support/stored-layers.js'
import { suite } from '../support/suite.js'

const test = suite('native/bombs')
const native = test.needs(NATIVE, BUSYBOX, CC, STRESS)
const limited = test.needs(NATIVE, BUSYBOX, CC, STRESS, CGROUP)
const MIB = 2 ** 20
const STRESS_PATH = '/usr/bin/stress-ng'
/** A bomb that has not come to its limit by then fails. */
const BOMB_SECONDS = 300
/** How often it is looked at once it is there. */
const LOOKS = 20

/** A bomb, and what is to be seen of it from outside. */
interface Bomb {
  /** Of stress-ng. */
  readonly words: string
  readonly change: SpecChange
  /** Whether it has come to its limit. */
  readonly isThere: (bomb: Guest) => boolean
  /** Fails where it has got beyond. */
  readonly assertHeld: (bomb: Guest) => void
  /** What is told of its end, when it is killed there. */
  readonly reason?: ExitReason
}

interface Guest extends AsyncDisposable {
  readonly task: Task
  readonly output: () => string
  readonly startedMs: number
}

async function begin({ runtime, folder }: NativeWall, id: string, rootfs: Rootfs, change: SpecChange): Promise<Guest> {
  const directory = join(folder, `container-${id}`)
  mkdirSync(directory)
  const task = await runtime.create({ id, directory, spec: containerSpec(change), rootfs, openStdin: true })
  let output = ''
  for (const stream of [task.stdout, task.stderr])
    stream?.on('data', (bytes) => {
      output += bytes
    })
  const startedMs = performance.now()
  await task.start()
  return {
    task,
    startedMs,
    output: () => output,
    [Symbol.asyncDispose]: async () => {
      await task.delete()
      await runtime.discard('', directory)
    },
  }
}

/** Lights a bomb while the neighbour works in another container, which has to live and to go on working. */
async function explode(wall: NativeWall, name: string, bomb: Bomb): Promise<void> {
  const program = join(wall.folder, 'neighbour')
  await compileGuest('neighbour', program)
  const image = (entries: readonly PackEntry[]) => storedRootfs([storeLayer(wall.folder, [...busyboxEntries(), ...entries])])
  const file = packFile('neighbour', readFileSync(program), { mode: 0o755 })
  await using neighbour = await begin(wall, 'neighbour', image([file]), { process: { args: ['/neighbour'] } })
  const alone = await said(neighbour, /alone (\d+) us/)
  const args = ['/bin/sh', '-c', `cd /tmp; exec ${STRESS_PATH} -v ${bomb.words} -t ${BOMB_SECONDS}`]
  {
    await using guest = await begin(wall, 'bomb', image(programEntries(STRESS_PATH)), { ...bomb.change, process: { args } })
    await toItsLimit(guest, bomb)
    await guest.task.kill('SIGKILL')
    assert.is((await guest.task.wait()).reason, bomb.reason ?? 'signaled', guest.output())
  }
  neighbour.task.stdin?.end()
  const { exitCode, reason } = await neighbour.task.wait()
  assert.equal([exitCode, reason], [0, 'exited'], neighbour.output())
  const [, rounds, longest] = await said(neighbour, /rounds (\d+), longest (\d+) us/)
  assert.ok(Number(rounds) > 0, neighbour.output())
  console.log(`# FIGURE ${name}: the neighbour's longest of ${rounds} rounds ${milliseconds(longest)}, alone ${milliseconds(alone[1])}`)
}

const milliseconds = (microseconds = '') => `${(Number(microseconds) / 1000).toFixed(1)} ms`

async function said({ output }: Guest, pattern: RegExp): Promise<RegExpExecArray> {
  for (;;) {
    const found = pattern.exec(output())
    if (found !== null) return found
    assert.not.match(output(), /^cannot/)
    await setTimeout(5)
  }
}

async function toItsLimit(guest: Guest, { isThere, assertHeld }: Bomb): Promise<void> {
  let hasEnded = false
  const ended = guest.task.wait().finally(() => {
    hasEnded = true
  })
  for (let left = LOOKS; left > 0; await setTimeout(5)) {
    assert.is(hasEnded, false, guest.output())
    assertHeld(guest)
    if (left < LOOKS || isThere(guest)) left--
  }
  ended.catch(() => {})
}

const processes = ({ task }: Guest) => guestPids(task.pid).length
const descriptors = ({ task }: Guest) => Math.max(0, ...guestPids(task.pid).map(descriptorsOf))
const temporary = ({ task }: Guest) => statfsSync(`/proc/${task.pid}/root/tmp`)

function descriptorsOf(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length
  } catch {
    // It has ended since.
    return 0
  }
}

/** How often the guest's group has been kept from its processors. */
function throttled({ task }: Guest): number {
  return Number(/^nr_throttled (\d+)$/m.exec(readFileSync(join(groupWith('cpu', task.pid)?.folder ?? '', 'cpu.stat'), 'latin1'))?.[1])
}

/** The most that the guest's group has had; of version 2 what it has now. */
function memoryOf({ task }: Guest): number {
  const { folder = '', version } = groupWith('memory', task.pid) ?? {}
  return Number(readFileSync(join(folder, version === 2 ? 'memory.current' : 'memory.max_usage_in_bytes'), 'latin1'))
}

const PROCESSES = 40
const processBomb = (words: string): Bomb => ({
  words,
  change: { limits: { pids: PROCESSES } },
  isThere: (guest) => processes(guest) > PROCESSES / 2,
  assertHeld: (guest) => assert.ok(processes(guest) <= PROCESSES),
})

const DESCRIPTORS = 64
const BYTES = 4 * MIB
const DISKS: readonly (readonly [where: string, change: SpecChange])[] = [
  ['a writable layer', { limits: { diskBytes: BYTES } }],
  // Which every kernel has.
  ['a tmpfs', { mounts: [{ type: 'tmpfs', destination: '/tmp', readonly: false, sizeBytes: BYTES }] }],
]
const diskBombs = (name: string, words: string, left: 'bavail' | 'ffree') =>
  DISKS.map(([where, change]): readonly [string, Bomb] => {
    const isThere = (guest: Guest) => temporary(guest)[left] === 0
    const assertHeld = (guest: Guest) => {
      const { blocks, bsize } = temporary(guest)
      assert.ok(blocks * bsize <= BYTES)
    }
    return [`${name} in ${where}`, { words, change, isThere, assertHeld }]
  })

const BOMBS: readonly (readonly [name: string, bomb: Bomb])[] = [
  ['a bomb of forks', processBomb('--fork 2 --fork-max 500')],
  ['a bomb of processes that nobody waits for', processBomb('--zombie 1 --zombie-max 5000')],
  [
    'a bomb of open files',
    {
      words: '--open 1',
      change: { limits: { openFiles: DESCRIPTORS } },
      isThere: (guest) => descriptors(guest) === DESCRIPTORS && guest.output().includes(`a maximum of ${DESCRIPTORS} file descriptors`),
      assertHeld: (guest) => assert.ok(descriptors(guest) <= DESCRIPTORS),
    },
  ],
  ...diskBombs('a bomb of bytes', '--hdd 1 --hdd-bytes 1g', 'bavail'),
  ...diskBombs('a bomb of empty files', '--dentry 1 --dentries 100000', 'ffree'),
]

const MEMORY = 64 * MIB
const CPUS = 0.25
/** What a guest may be ahead of its share: a period's, on each processor, in ticks. */
const AHEAD_MS = 200
const GROUP_BOMBS: readonly (readonly [name: string, bomb: Bomb])[] = [
  ['a bomb of memory', memoryBomb('--vm 1 --vm-bytes 512m --vm-keep')],
  ['a bomb of a heap that grows', memoryBomb('--bigheap 1 --bigheap-growth 16m')],
  [
    'a bomb of work',
    {
      words: '--cpu 4',
      change: { limits: { cpus: CPUS } },
      isThere: (guest) => throttled(guest) >= 5,
      assertHeld: ({ task, startedMs }) => {
        const { cpuMs, atMs } = readUsage(task.pid, {})
        assert.ok(cpuMs <= CPUS * (atMs - startedMs) + AHEAD_MS, `${cpuMs} ms`)
      },
    },
  ],
]

function memoryBomb(words: string): Bomb {
  return {
    words,
    change: { limits: { memoryBytes: MEMORY } },
    isThere: (guest) => guest.output().includes('assuming killed by OOM killer'),
    assertHeld: (guest) => assert.ok(memoryOf(guest) <= MEMORY),
    reason: 'out-of-memory',
  }
}

for (const [suited, bombs] of [
  [native, BOMBS],
  [limited, GROUP_BOMBS],
] as const)
  for (const [name, bomb] of bombs)
    suited(
      `${name} stops at its limit, and its neighbour goes on`,
      () =>
        withNativeWall(async (wall) => {
          // Before Linux 6.6 a writable layer lies on disk, where its size cannot be bounded.
          if (bomb.change.limits?.diskBytes !== undefined && !(await availability(wall.trees)).upperInMemory) return
          await explode(wall, name, bomb)
        }),
      { timeoutMs: 120_000 },
    )

native('a bomb of output ends at its limit, and its neighbour goes on', () =>
  withNativeWall(async (wall) => {
    await using neighbour = await begin(wall, 'neighbour', wall.rootfs, { process: { args: ['/bin/busybox', 'cat'] } })
    await using guest = await begin(wall, 'bomb', wall.rootfs, {
      process: { args: ['/bin/busybox', 'yes'] },
      limits: { outputBytes: MIB },
    })
    assert.is((await guest.task.wait()).reason, 'limit')
    assert.is(guest.output().length, MIB)
    neighbour.task.stdin?.end('alive')
    assert.is((await neighbour.task.wait()).exitCode, 0)
    assert.is(neighbour.output(), 'alive')
  }),
)

test.run()
