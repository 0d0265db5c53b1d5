/** What an image puts at the paths that the wall itself mounts on: it starts with its masks in place, or fails by name and leaves nothing. */
import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import * as assert from 'uvu/assert'
import { EngineError } from '../../src/errors.js'
import type { PackEntry } from '../../src/layer/pack.js'
import type { NativeWall } from '../support/native-wall.js'
import { withNativeWall } from '../support/native-wall.js'
import { BUSYBOX, NATIVE } from '../support/requirements.js'
import type { SpecChange } from '../support/specs.js'
import { containerSpec } from '../support/specs.js'
import { packEntry, packFile, storedRootfs, storeLayer } from '../support/stored-layers.js'
import { suite } from '../support/suite.js'

const test = suite('native/images.security')
const native = test.needs(NATIVE, BUSYBOX)

const link = (path: string, target: string) => packEntry(path, { type: 'symlink', target, mode: 0o777 })
const ETC = packEntry('etc', { type: 'directory' })
const STARTS = 'starts'

/** What an image holds, and the errno or operation it fails with. */
const TRICKS: readonly (readonly [name: string, entries: readonly PackEntry[], answer: string])[] = [
  ['/proc is a file', [packFile('proc', 'x')], 'ENOTDIR'],
  ['/proc is a fifo', [packEntry('proc', { type: 'fifo' })], 'ENOTDIR'],
  ['/proc leads nowhere', [link('proc', '/nowhere')], 'ELOOP'],
  ['/proc is a loop', [link('proc', 'proc')], 'ELOOP'],
  ['/proc is closed', [packEntry('proc', { type: 'directory', mode: 0 })], STARTS],
  ['/sys leads to /etc', [ETC, link('sys', 'etc')], 'ELOOP'],
  ['/dev is a file', [packFile('dev', 'x')], 'ENOTDIR'],
  ['/dev leads to /proc', [link('dev', 'proc')], 'EXDEV'],
  ['/dev leads to the magic root', [link('dev', 'proc/self/root')], 'ELOOP'],
  ['/dev holds links under our names', [packEntry('dev', { type: 'directory' }), link('dev/pts', '/etc'), link('dev/null', '/x')], STARTS],
  ['/etc is a file', [packFile('etc', 'x')], 'ENOTDIR'],
  ['/etc leads to /sys', [link('etc', 'sys')], 'EROFS'],
  ['/etc/hosts leads into /proc', [ETC, link('etc/hosts', '/proc/version')], 'EXDEV'],
  ['/etc/hosts leads to a setting', [ETC, link('etc/hosts', '/proc/sys/kernel/hostname')], 'EXDEV'],
  ['/etc/hosts leads to a descriptor', [ETC, link('etc/hosts', '/proc/self/fd/0')], 'ELOOP'],
  ['/etc/hosts is a directory', [ETC, packEntry('etc/hosts', { type: 'directory' })], 'EINVAL'],
  ['/etc/hosts climbs out', [ETC, link('etc/hosts', '../../../../../../etc/passwd')], STARTS],
  [
    'devices, and whiteouts of /proc',
    [packEntry('disk', { type: 'block-device', device: { major: 8, minor: 0 } }), packFile('.wh.proc', '')],
    STARTS,
  ],
]

const CHECK = 'busybox cat /proc/keys /proc/timer_list; echo x 2>/dev/null > /proc/sys/kernel/core_pattern || echo held; busybox cat /disk'

/** Starts an image that has `entries` over busybox. */
async function startedWith(
  { folder, runtime, rootfs }: NativeWall,
  entries: readonly PackEntry[],
  change: SpecChange = {},
): Promise<string> {
  const directory = join(folder, 'container')
  mkdirSync(directory, { recursive: true })
  const process = { args: ['/bin/sh', '-c', `${CHECK}; exit 0`], env: ['PATH=/bin'], ...change.process }
  const spec = containerSpec({ ...change, process })
  const image = storedRootfs([...rootfs.layers, storeLayer(folder, entries)])
  try {
    const task = await runtime.create({ id: 'image', directory, spec, rootfs: image, openStdin: false })
    try {
      const output = text(task.stdout)
      await task.start()
      await task.wait()
      assert.is(await output, 'held\n')
      return STARTS
    } finally {
      await task.delete()
    }
  } catch (error) {
    if (!(error instanceof EngineError)) throw error
    return String(error.data.errno)
  } finally {
    await runtime.discard('', directory)
    assert.equal(readdirSync(directory), [])
  }
}

native('an image that holds anything at the places of mounts starts masked, or fails by name and leaves nothing', () =>
  withNativeWall(async (wall) => {
    for (const [name, entries, answer] of TRICKS) assert.is(await startedWith(wall, entries), answer, name)
  }),
)

native('CVE-2024-21626, CVE-2020-1726: a working directory through a descriptor, a process or a file is refused by name', () =>
  withNativeWall(async (wall) => {
    const entries = [ETC, packFile('etc/file', 'x'), link('leak', '/proc/self/fd/7'), link('init', '/proc/1/cwd')]
    for (const cwd of ['/proc/self/fd/7', '/proc/self/cwd', '/proc/1/root', '/dev/fd/1', '/leak', '/init', '/etc/file', '/sys/made'])
      assert.match(await startedWith(wall, entries, { process: { cwd } }), /^(ELOOP|ENOTDIR|EROFS|ENOENT)$/, cwd)
  }),
)

native('CVE-2023-0778: a volume whose place in the image is a symlink stays in the container’s own files', () =>
  withNativeWall(async (wall) => {
    const source = join(wall.folder, 'shared')
    mkdirSync(source)
    const mounts = [{ type: 'bind', source, destination: '/data', readonly: false }] as const
    for (const [target, answer] of [
      ['/proc', 'EXDEV'],
      ['/proc/sys', 'EXDEV'],
      ['/sys/kernel', 'EXDEV'],
      ['/proc/self/root/tmp', 'ELOOP'],
      ['../../../../..', STARTS],
    ] as const)
      assert.is(await startedWith(wall, [link('data', target)], { mounts }), answer, target)
  }),
)

test.run()
