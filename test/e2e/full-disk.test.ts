/**
 * A disk that fills while a layer is written: a small tmpfs in a user namespace of the test's own is the store's disk. Each step fails by name,
 * leaves what was there and nothing else, and succeeds when there is room again. And layers that somebody deletes.
 */
import { randomBytes } from 'node:crypto'
import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import * as assert from 'uvu/assert'
import { MEDIA_TYPE } from '../../src/oci/media-type.js'
import { CommandLine } from '../support/command-line.js'
import { tarOf } from '../support/image-fixtures.js'
import { RegistryServer, sha256 } from '../support/registry-server.js'
import { BUSYBOX, NATIVE, program } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('e2e/full disk')
const native = test.needs(NATIVE, BUSYBOX, program('unshare'))
const wolffia = new CommandLine()

/** Runs a script with the home on a disk of its own, of so many KiB; `room N` leaves N KiB on it. */
function onSmallDisk(kibibytes: number, script: string) {
  const whole = `set -u
    room() { dd if=/dev/zero of=disk/fill bs=64k 2>/dev/null; truncate -s -$(($1 * 1024)) disk/fill; }
    left() { find disk/home -type f | grep -cE "ingest|partial|unfinished"; }
    try() { "$wolffia" "$@"; echo "ended $?"; }
    mkdir -p disk; mount -t tmpfs -o size=${kibibytes}k,mode=700 none disk; export WOLFFIA_HOME=$PWD/disk/home
    exec 2>&1
    ${script}`
  return wolffia.inShell(`unshare -Ur -m sh -c '${whole}'`)
}

native('an import that finds no room fails by name and leaves nothing, and succeeds when there is room', async () => {
  await wolffia.busybox()
  const { stdout } = await onSmallDisk(
    16 << 10,
    `head -c 8000000 /dev/urandom > big; tar -cf big.tar big; gzip -k big.tar
    room 4096
    try import big.tar; left
    try import big.tar.gz; left
    find disk/home -path "*blobs/*" -type f; try images -q
    rm disk/fill
    try import big.tar.gz fits; left`,
  )
  const refused = /^wolffia: ENOSPC: no space left on device.*\nMake room on that disk.*\nended 1\n0\n/
  assert.match(stdout, refused)
  assert.match(stdout.replace(refused, ''), refused)
  assert.match(stdout.replace(refused, '').replace(refused, ''), /^ended 0\nsha256:[0-9a-f]{64}\nended 0\n0\n$/)
})

native(
  'a pull, a load and a commit that find no room, at whichever step, fail by name and leave nothing, and succeed when there is room',
  async () => {
    await wolffia.busybox()
    await using server = await RegistryServer.start()
    const [noise, more] = [tarOf({ noise: randomBytes(1_500_000) }), tarOf({ more: randomBytes(700_000) })]
    const form = { tags: ['1'], layerType: MEDIA_TYPE.ociLayerGzip, diffIds: [noise, more].map(sha256) }
    server.repository('app').image(
      [noise, more].map((tar) => gzipSync(tar)),
      form,
    )
    writeFileSync(join(wolffia.folder, 'noise.tar'), noise)
    await wolffia.output('import', 'noise.tar', 'noise')
    await wolffia.output('save', '--compression', 'gzip', '-o', 'archive.tar', 'noise')
    await wolffia.output('save', '-o', 'busybox.tar', 'busybox')
    const { stdout } = await onSmallDisk(
      32 << 10,
      `"$wolffia" load -qi busybox.tar >/dev/null
      "$wolffia" run --name kept busybox sh -c "head -c 1500000 /dev/urandom > /kept"
      for room in 0 8 40 900 1700 2600 3700 4400; do
        room $room
        try pull -q ${server.host}/app:1; left
        try load -qi archive.tar; left
        try commit kept made; left
      done
      rm disk/fill
      try pull -q ${server.host}/app:1; left
      try load -qi archive.tar; left
      try commit kept made; left
      try system check`,
    )
    const ends = [...stdout.matchAll(/ended (\d+)\n(\d+)\n/g)].map(([, code, left]) => `${code} ${left}`)
    assert.is(ends.length, 27, stdout)
    assert.equal(ends.slice(-3), ['0 0', '0 0', '0 0'])
    assert.ok(
      ends.slice(0, 3).every((end) => end === '1 0'),
      stdout,
    )
    assert.ok(
      ends.every((end) => end.endsWith(' 0')),
      stdout,
    )
    const failures = ends.filter((end) => end.startsWith('1')).length
    assert.is(stdout.match(/ENOSPC: no space left on device/g)?.length, failures, stdout)
    assert.match(stdout, /ended 0\n$/)
  },
)

native('a layer for which there is no room as a tar, an index or a tree fails by name, and runs when there is room', async () => {
  await wolffia.busybox()
  const { stdout } = await onSmallDisk(
    32 << 10,
    `mkdir -p tall/bin; cp /bin/busybox tall/bin; head -c 4000000 /dev/zero > tall/zeros
    for each in $(seq 3000); do : > tall/$each; done
    tar -C tall --owner=0 --group=0 -cf tall.tar .; "$wolffia" import tall.tar tall >/dev/null
    for each in disk/home/layers/*; do rm -r "$each"; done
    for room in 0 64 256 1024 3072; do room $room; try run --rm tall /bin/busybox echo ran; left; done
    rm disk/fill
    try run --rm tall /bin/busybox wc -c /zeros; left`,
  )
  const ends = stdout.match(/ended .*\n.*/g) ?? []
  assert.equal(ends, [...Array.from({ length: 5 }, () => 'ended 125\n0'), 'ended 0\n0'], stdout)
  assert.is((stdout.match(/ENOSPC|No space is left/g) ?? []).length >= 5, true, stdout)
  assert.not.match(stdout, /fault of wolffia/)
  assert.match(stdout, /4000000 \/zeros/)
})

const layerFiles = (name: string) => {
  const layers = join(wolffia.home, 'layers')
  return readdirSync(layers).map((layer) => join(layers, layer, name))
}

for (const name of ['tar', 'index', ''])
  native(
    `a layer that loses ${name === '' ? 'its folder' : `its ${name}`} under a running container is missed by name, and made again`,
    async () => {
      await wolffia.busybox()
      await wolffia.output('run', '-d', '--name', 'kept', 'busybox', 'sleep', '100')
      for (const path of layerFiles(name)) rmSync(path, { recursive: true })
      assert.is(await wolffia.output('exec', 'kept', 'cat', '/bin/text'), 'not a program')
      const { code, stderr } = await wolffia.run(['diff', 'kept'])
      assert.is(code, 1)
      assert.match(stderr, /^wolffia: layer sha256:[0-9a-f]{64} of the container's image is no longer in the store\n.*come back/)
      assert.is(await wolffia.output('run', '--rm', 'busybox', 'echo', 'other'), 'other\n')
      assert.is(await wolffia.output('diff', 'kept'), '')
      await wolffia.output('stop', '-t', '0', 'kept')
      await wolffia.output('start', 'kept')
      assert.is(await wolffia.output('exec', 'kept', 'cat', '/bin/text'), 'not a program')
      await wolffia.output('rm', '-f', 'kept')
      assert.equal(await wolffia.output('ps', '-aq'), '')
    },
  )

test('and nothing of it is left', () => wolffia.end())

test.run()
