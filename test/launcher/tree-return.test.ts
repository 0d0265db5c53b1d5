import { readFileSync } from 'node:fs'
import type { Duplex, Readable } from 'node:stream'
import * as assert from 'uvu/assert'
import type { LauncherProcess } from '../../src/launcher/client.js'
import type { Operation } from '../../src/launcher/operations.js'
import type { TreeRecord } from '../../src/launcher/tree-stream.js'
import { encodeTreeRecord, TreeStreamDecoder, treeStreamStart } from '../../src/launcher/tree-stream.js'
import { type Box, type BoxOptions, idMaps, processesWith, withBox } from '../support/launcher-box.js'
import { BUSYBOX, NATIVE } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('launcher/tree-return')
const native = test.needs(NATIVE, BUSYBOX)

const attributes = { mode: 0o755, uid: 0, gid: 0, mtimeNs: 0n, atimeNs: 0n }
const GIVEN: readonly TreeRecord[] = [
  { record: 'entry', entry: { ...attributes, kind: 'directory', path: '' } },
  { record: 'entry', entry: { ...attributes, kind: 'file', path: 'given', mode: 0o640, size: 5 } },
  { record: 'data', offset: 0, bytes: Buffer.from('given') },
  { record: 'end' },
]
const MOUNTS: readonly Operation[] = [
  ['mount-tree', '/home/work', 1 << 20, 64, 'nosuid,nodev', 6],
  ['return-tree', 7],
]

/** Starts a box with a tree at /home/work; what comes back is `returned`. */
function begin(box: Box, args: readonly string[], options: BoxOptions = {}) {
  const launcher = box.launch(args, { mounts: MOUNTS, ...options, launch: { descriptors: ['pipe', 'pipe'] } })
  launcher.stdout?.resume()
  launcher.stderr?.resume()
  ;(launcher.streams[0] as Duplex).end(Buffer.concat([treeStreamStart(), ...GIVEN.map(encodeTreeRecord)]))
  const returned = recordsOf(launcher)
  returned.catch(() => {})
  return { launcher, returned }
}

async function recordsOf(launcher: LauncherProcess): Promise<readonly TreeRecord[]> {
  const decoder = new TreeStreamDecoder()
  const records: TreeRecord[] = []
  for await (const chunk of launcher.streams[1] as Readable)
    for (const record of decoder.push(chunk))
      records.push(record.record === 'data' ? { ...record, bytes: Buffer.from(record.bytes) } : record)
  if (records.at(-1)?.record !== 'broken') decoder.finish()
  return records
}

async function runWith(box: Box, script: string, options: BoxOptions = {}): Promise<readonly TreeRecord[]> {
  const { launcher, returned } = begin(box, ['sh', '-c', script], options)
  await launcher.ready
  await launcher.go()
  assert.is((await launcher.exited).code, 0)
  return returned
}

/** Names, and what is in the files. */
function shown(records: readonly TreeRecord[]): string[] {
  return records.flatMap((record) => {
    if (record.record === 'entry') return [`${record.entry.kind} ${record.entry.path} ${record.entry.mode.toString(8)} ${record.entry.uid}`]
    return record.record === 'data' ? [Buffer.from(record.bytes).toString()] : []
  })
}

for (const idMap of idMaps()) {
  const [uid, owner] = idMap.kind === 'range' ? [33, 33] : [0, 0]
  native(`a tree is there before the guest, and comes back as the guest has left it, under a ${idMap.kind} id map`, () =>
    withBox(async (box) => {
      const script = `cat /home/work/given > /home/work/copy; busybox chown ${owner} /home/work/copy; busybox chmod 0 /home/work/copy; busybox mkdir -m 700 /home/work/d`
      assert.equal(shown(await runWith(box, script, { idMap })), [
        'directory  755 0',
        `file copy 0 ${uid}`,
        'given',
        'file given 640 0',
        'given',
        'directory d 700 0',
      ])
    }),
  )
}

native('the guest has the mount as it was asked for, and no descriptor of it', () =>
  withBox(async (box) => {
    const { launcher, returned } = begin(box, ['sh', '-c', 'exit 0'])
    const { receipt } = await launcher.ready
    assert.match(String(receipt.mountinfo), / \/ \/home\/work rw,nosuid,nodev,relatime - tmpfs \S+ rw,size=1024k,nr_inodes=64/)
    assert.equal(receipt.descriptors, [0, 1, 2])
    launcher.kill()
    await launcher.exited
    await returned
  }),
)

native('what was mounted over or below the tree is not given back, nor what another program still had open', () =>
  withBox(async (box) => {
    const mounts: readonly Operation[] = [...MOUNTS, ['mount-tmpfs', '/home/work/below', 4096, 8, '0755', '']]
    const script = 'echo lost > /home/work/below/f; (while :; do echo more; done) >> /home/work/given & busybox sleep 0.1'
    const records = await runWith(box, script, { mounts })
    assert.not.match(shown(records).join('\n'), /lost|below\/f/)
    // Nobody writes any more: what the entry says is what follows.
    const size = records.reduce((sum, record) => sum + (record.record === 'data' ? record.bytes.length : 0), 0)
    const file = records.find((record) => record.record === 'entry' && record.entry.path === 'given')
    assert.is(file?.record === 'entry' && file.entry.size, size)
  }),
)

native('a guest that is killed gives its tree back, and one that has not begun the tree as it was', () =>
  withBox(async (box) => {
    for (const goes of [true, false]) {
      const { launcher, returned } = begin(box, ['sh', '-c', 'echo made > /home/work/made; echo ready; busybox sleep 1000'])
      await launcher.ready
      if (goes) {
        const ready = new Promise((resolve) => launcher.stdout?.once('data', resolve))
        await launcher.go()
        await ready
      }
      launcher.kill()
      await launcher.exited
      assert.is(shown(await returned).includes('made\n'), goes)
    }
  }),
)

native('a tree that cannot be read to its end says where and why', () =>
  withBox(async (box) => {
    const name = 'n'.repeat(200)
    const script = `cd /home/work; i=0; while [ $i -lt 30 ]; do busybox mkdir ${name}; cd ${name}; i=$((i+1)); done`
    const last = (await runWith(box, script)).at(-1)
    assert.is(last?.record, 'broken')
    if (last?.record === 'broken') assert.is(last.errno, 36)
  }),
)

native('a reader that goes away does not keep the launcher, and nothing is left', () =>
  withBox(async (box) => {
    const { launcher, returned } = begin(box, ['sh', '-c', `busybox dd if=/dev/zero of=/home/work/big bs=1024 count=900; : ${box.folder}`])
    await launcher.ready
    ;(launcher.streams[1] as Duplex).destroy()
    await returned.catch(() => {})
    await launcher.go()
    assert.is((await launcher.exited).code, 0)
    assert.equal(processesWith(box.folder), [])
  }),
)

native('a stream that ends too early, or is more than fits, fails the start by name and leaves no mount', () =>
  withBox(async (box) => {
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    const large: TreeRecord[] = [
      { record: 'entry', entry: { ...attributes, kind: 'file', path: 'large', size: 2 << 20 } },
      ...[0, 1, 2].map((index): TreeRecord => ({ record: 'data', offset: index * 600_000, bytes: Buffer.alloc(600_000, 1) })),
      { record: 'end' },
    ]
    for (const [records, errno] of [
      [GIVEN.slice(0, -1), 'EPIPE'],
      [large, 'ENOSPC'],
    ] as const) {
      const launcher = box.launch(['true'], { mounts: MOUNTS, launch: { descriptors: ['pipe', 'pipe'] } })
      ;(launcher.streams[0] as Duplex).end(Buffer.concat([treeStreamStart(), ...records.map(encodeTreeRecord)]))
      const returned = recordsOf(launcher).catch(() => 'nothing')
      const error = await launcher.ready.catch((reason) => reason)
      assert.is(error.data?.errno, errno)
      assert.is(error.data?.operation, 'mount-tree')
      assert.is(await returned, 'nothing')
    }
    assert.is(readFileSync('/proc/self/mountinfo', 'utf8'), mounts)
  }),
)

test.run()
