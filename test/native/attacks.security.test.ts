import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import * as assert from 'uvu/assert'
import type { IdMap } from '../../src/launcher/id-map.js'
import type { Limits } from '../../src/runtime/limits.js'
import { compileGuest } from '../support/compile-guest.js'
import { ID_MAPS } from '../support/id-maps.js'
import type { NativeWall } from '../support/native-wall.js'
import { withNativeWall } from '../support/native-wall.js'
import { BUSYBOX, CC, NATIVE } from '../support/requirements.js'
import type { SpecChange } from '../support/specs.js'
import { containerSpec } from '../support/specs.js'
import { busyboxEntries, packFile, storedRootfs, storeLayer } from '../support/stored-layers.js'
import { suite } from '../support/suite.js'

const test = suite('native/attacks')

/** What a guest may do, of all that test/fixtures/attacks.c tries. */
const ALLOWED = [
  'socket-unix ok',
  'socket-tcp ok',
  'socket-udp6 ok',
  'socket-route ok',
  'personality-plain ok',
  'open /proc/1/fd ok',
  'kill init ok',
  'stop init ok',
  'write /dev/null ok',
  // 0:0 is no device but overlay's whiteout.
  'mknod-whiteout-shm ok',
]

/** Runs a guest of test/fixtures behind the whole native wall and gives back what it printed. */
async function runGuest(guest: string, args: readonly string[], idMap: IdMap, change: SpecChange = {}): Promise<string> {
  let output = ''
  await withNativeWall(
    async (wall) => {
      output = await runIn(wall, guest, args, change)
    },
    { idMap },
  )
  return output
}

async function runIn(wall: NativeWall, guest: string, args: readonly string[], change: SpecChange): Promise<string> {
  const program = join(wall.folder, guest)
  await compileGuest(guest, program)
  const rootfs = storedRootfs([storeLayer(wall.folder, [...busyboxEntries(), packFile('guest', readFileSync(program), { mode: 0o755 })])])
  const directory = join(wall.folder, 'container')
  mkdirSync(directory)
  const spec = containerSpec({ ...change, process: { args: ['/guest', ...args] } })
  const task = await wall.runtime.create({ id: 'attacker', directory, spec, rootfs, openStdin: false })
  try {
    const stdout = text(task.stdout)
    await task.start()
    const { exitCode, reason } = await task.wait()
    assert.equal({ exitCode, reason }, { exitCode: 0, reason: 'exited' }, await stdout)
    return await stdout
  } finally {
    await task.delete()
    await wall.runtime.discard('', directory)
  }
}

async function amountOf(kind: string, limits: Limits, idMap: IdMap): Promise<number> {
  const output = await runGuest('bombs', [kind], idMap, { limits })
  return Number(/^\w+ (\d+) /.exec(output)?.[1])
}

for (const { name, map, needs } of ID_MAPS) {
  const native = test.needs(NATIVE, BUSYBOX, CC, ...needs)

  native(`nothing of the table of attempts succeeds under ${name}`, async () => {
    const lines = (await runGuest('attacks', [], map())).trimEnd().split('\n')
    assert.ok(lines.length > 80, `${lines.length} attempts`)
    const succeeded = lines.filter((line) => / (ok|bytes)$/.test(line) && !ALLOWED.includes(line))
    assert.equal(succeeded, [])
    assert.ok(lines.includes('descriptors 3'))
    assert.ok(lines.includes('processes 2'))
    if (process.arch !== 'x64') return
    assert.ok(lines.includes('x32 killed 31'))
    // By SIGSEGV where the host has no i386 calls at all.
    assert.ok(lines.includes('int80 killed 31') || lines.includes('int80 killed 11'))
  })

  native(`bombs of processes, descriptors, bytes and inodes end at their limits under ${name}`, async () => {
    const processes = await amountOf('processes', { pids: 50 }, map())
    assert.ok(processes > 30 && processes < 50, `${processes} processes`)
    const descriptors = await amountOf('descriptors', { openFiles: 100 }, map())
    assert.is(descriptors, 97)
    const bytes = await amountOf('bytes', { diskBytes: 4 << 20 }, map())
    assert.ok(bytes > 3 << 20 && bytes <= 4 << 20, `${bytes} bytes`)
    const inodes = await amountOf('inodes', { diskBytes: 4 << 20 }, map())
    assert.ok(inodes > 500 && inodes <= 1024, `${inodes} inodes`)
  })
}

test.needs(NATIVE, BUSYBOX)('the folder / mounted in a container shows the host’s root, and nothing of the launcher’s making', () =>
  withNativeWall(async (wall) => {
    const directory = join(wall.folder, 'container')
    mkdirSync(directory)
    const script = 'busybox ls /host; busybox grep -c " /host.* proc " /proc/self/mountinfo'
    const spec = containerSpec({
      process: { args: ['/bin/sh', '-c', script], env: ['PATH=/bin'] },
      mounts: [{ type: 'bind', source: '/', destination: '/host', readonly: true }],
    })
    const task = await wall.runtime.create({ id: 'all', directory, spec, rootfs: wall.rootfs, openStdin: false })
    try {
      const stdout = text(task.stdout)
      await task.start()
      await task.wait()
      const lines = (await stdout).trimEnd().split('\n')
      const names = readdirSync('/').filter((name) => !name.startsWith('.'))
      assert.equal(lines.slice(0, -1), names.sort())
      // Of the proc file systems only the host's own.
      assert.is(lines.at(-1), '1')
    } finally {
      await task.delete()
    }
  }),
)

test.run()
