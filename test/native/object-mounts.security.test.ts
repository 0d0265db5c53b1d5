/** What a hostile guest leaves in a file system of this process: all of it goes through this process's own hands. */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Volume } from 'memfs'
import * as assert from 'uvu/assert'
import type { EngineError } from '../../src/errors.js'
import { objectInodes } from '../../src/runtime/object-mounts.js'
import { ID_MAPS } from '../support/id-maps.js'
import { type NativeWall, withNativeWall } from '../support/native-wall.js'
import { runScript, withObject } from '../support/object-guest.js'
import { BUSYBOX, NATIVE } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('native/object-mounts.security')

/** What `run` failed with; the volume is to be as it was. */
async function refusal(run: Promise<unknown>): Promise<EngineError> {
  const error = await run.then(
    (result) => result,
    (reason) => reason,
  )
  if (error instanceof Error) return error as EngineError
  throw new Error(`it was not refused: ${JSON.stringify(error)}`)
}

for (const { name, map, needs } of ID_MAPS) {
  const attack = (title: string, body: (wall: NativeWall) => Promise<void>) =>
    test.needs(NATIVE, BUSYBOX, ...needs)(`${name}: ${title}`, () => withNativeWall(body, { idMap: map() }), { timeoutMs: 60_000 })

  attack('an inode bomb ends with ENOSPC, and what fits comes back while this process goes on', async (wall) => {
    const volume = Volume.fromJSON({ '/mine': 'x' })
    const sizeBytes = 1 << 20
    let turns = 0
    const ticking = setInterval(() => turns++, 5)
    const script = 'cd /work; busybox mkdir d; cd d; i=0; while : > f$i; do i=$((i+1)); done'
    const { output, exitCode } = await runScript(wall, script, volume, { mount: { sizeBytes } }).finally(() => clearInterval(ticking))
    assert.match(output, /No space left/)
    assert.is.not(exitCode, 0)
    const names = volume.readdirSync('/d').length
    assert.ok(names > 100 && names < objectInodes(sizeBytes), `${names}`)
    assert.is(volume.readFileSync('/mine', 'utf8'), 'x')
    assert.ok(turns > 10, `${turns} turns`)
  })

  attack('hard links without end are names, and are counted', async (wall) => {
    const volume = Volume.fromJSON({ '/mine': 'x' })
    const { output } = await runScript(wall, 'cd /work; i=0; while busybox ln mine l$i; do i=$((i+1)); done', volume, {
      mount: { sizeBytes: 4096 },
    })
    assert.match(output, /No space left/)
    assert.ok(volume.readdirSync('/').length <= objectInodes(4096) + 1)
  })

  attack('a disk bomb comes back no larger than may come, with what is said of it', async (wall) => {
    const volume = Volume.fromJSON({ '/mine': 'x'.repeat(100_000) })
    const { output } = await runScript(wall, 'busybox dd if=/dev/zero of=/work/bomb bs=4096; busybox rm /work/mine', volume, {
      mount: { sizeBytes: 100_000 },
    })
    assert.match(output, /No space left/)
    assert.equal(volume.readdirSync('/'), ['bomb'])
    assert.ok(volume.statSync('/bomb').size <= 100_000)
  })

  attack('a file of a terabyte of nothing is refused, costs this process no memory and leaves the object as it was', async (wall) => {
    const volume = Volume.fromJSON({ '/mine': 'x' })
    const before = process.memoryUsage().rss
    for (const script of [
      'busybox truncate -s 1099511627776 /work/hole',
      'busybox truncate -s 1099511627776 /work/mine',
      'busybox truncate -s 9223372036854775807 /work/hole',
      'cd /work; i=0; while [ $i -lt 100 ]; do busybox truncate -s 100M h$i; i=$((i+1)); done',
    ]) {
      const { code, message, hint } = await refusal(runScript(wall, `${script}; echo y > /work/new`, volume))
      assert.is(code, 'LIMIT_EXCEEDED')
      assert.match(message, /what the guest left at \/work is not taken back: more than 1048576 bytes came to it/)
      assert.match(hint ?? '', /as if the guest had not run.*sizeBytes/)
      assert.equal(volume.toJSON(), { '/mine': 'x' })
    }
    assert.ok(process.memoryUsage().rss - before < 100e6)
  })

  attack('a hole that is within the limit is bytes of this process within the limit', async (wall) => {
    const volume = new Volume()
    await runScript(wall, 'busybox truncate -s 1M /work/hole', volume)
    assert.is(volume.statSync('/hole').size, 1 << 20)
    assert.ok((volume.readFileSync('/hole') as Buffer).every((byte) => byte === 0))
  })

  attack('paths deeper than the kernel takes are refused by name, and the object is as it was', async (wall) => {
    const volume = Volume.fromJSON({ '/mine': 'x' })
    const component = 'n'.repeat(200)
    const script = `echo y > /work/mine; cd /work; i=0; while [ $i -lt 40 ]; do busybox mkdir ${component} && cd ${component}; i=$((i+1)); done`
    const { code, message, hint } = await refusal(runScript(wall, script, volume))
    assert.is(code, 'LAUNCHER_FAILED')
    assert.match(message, /ENAMETOOLONG/)
    assert.match(hint ?? '', /as if the guest had not run/)
    assert.equal(volume.toJSON(), { '/mine': 'x' })
  })

  attack('paths whose bytes add up to more than this process would hold are refused', async (wall) => {
    const volume = Volume.fromJSON({ '/mine': 'x' })
    const script = `p=d; i=0; while [ $i -lt 1500 ]; do p=$p/d; i=$((i+1)); done; busybox mkdir -p /work/$p`
    const { code, message } = await refusal(runScript(wall, script, volume, { mount: { sizeBytes: 64 << 20 } }))
    assert.is(code, 'LIMIT_EXCEEDED')
    assert.match(message, /bytes of paths came to it/)
    assert.equal(volume.toJSON(), { '/mine': 'x' })
  })

  attack('directories in each other, four hundred of them, come back', async (wall) => {
    const volume = new Volume()
    const { exitCode } = await runScript(
      wall,
      'p=d; i=0; while [ $i -lt 400 ]; do p=$p/d; i=$((i+1)); done; busybox mkdir -p /work/$p',
      volume,
    )
    assert.is(exitCode, 0)
    assert.ok(volume.existsSync(`/${Array.from({ length: 401 }, () => 'd').join('/')}`))
  })

  attack('names that are not UTF-8, pipes, sockets and devices are left out by name, and the rest comes back', async (wall) => {
    const volume = new Volume()
    const script = `cd /work; b=$(printf 'caf\\351'); echo a > $b; busybox mkdir d$b; echo a > d$b/in; busybox ln -s $b s
      busybox mkfifo pipe; busybox ln pipe pipe-too; busybox mknod white c 0 0; busybox mknod null c 1 3; echo kept > kept`
    const { detail = '' } = await runScript(wall, script, volume)
    assert.equal(volume.toJSON(), { '/kept': 'kept\n' })
    assert.match(detail, /left out of the file system at \/work: /)
    assert.match(detail, /"\/work\/pipe" \(it is a fifo\)/)
    assert.match(detail, /"\/work\/pipe-too" \(what it is another name of is left out\)/)
    assert.match(detail, /"\/work\/caf.*its name or target is not UTF-8\)/)
    assert.match(detail, /and \d more$/)
  })

  attack('what a guest has replaced by symlinks leads nowhere else, here or in the object', async (wall) => {
    const volume = Volume.fromJSON({
      '/part/dir/f': 'mine',
      '/part/file': 'mine',
      '/part/deep/er/f': 'mine',
      '/outside/f': 'safe',
      '/f': 'safe',
    })
    const script = `cd /work; busybox rm -r dir file deep; busybox ln -s ../outside dir; busybox ln -s /etc/passwd file; busybox ln -s .. deep
      busybox ln -s ../../../../../../etc etc; echo evil > dir/f; echo evil > deep/f`
    await runScript(wall, script, volume, { mount: { source: '/part' } })
    assert.is(volume.readFileSync('/outside/f', 'utf8'), 'safe')
    assert.is(volume.readFileSync('/f', 'utf8'), 'safe')
    assert.equal(
      ['dir', 'file', 'deep', 'etc'].map((link) => volume.readlinkSync(`/part/${link}`)),
      ['../outside', '/etc/passwd', '..', '../../../../../../etc'],
    )
  })

  attack('a symlink that the host puts in a directory’s place meanwhile is not followed', async (wall) => {
    const volume = Volume.fromJSON({ '/part/dir/f': 'mine', '/outside/f': 'safe' })
    await withObject(
      wall,
      'busybox sleep 0.4; echo evil > /work/dir/f; echo evil > /work/dir/g',
      volume,
      async ({ task }) => {
        await task.start()
        volume.rmSync('/part/dir', { recursive: true })
        volume.symlinkSync('../outside', '/part/dir')
        const { detail = '' } = await task.wait()
        assert.match(detail, /"\/work\/dir\/f" \(its place is taken\), "\/work\/dir\/g" \(its place is taken\)/)
      },
      { mount: { source: '/part' } },
    )
    assert.equal(volume.readdirSync('/outside'), ['f'])
    assert.is(volume.readFileSync('/outside/f', 'utf8'), 'safe')
  })

  attack('what a file becomes a directory, and a directory a file, is as the guest has it', async (wall) => {
    const volume = Volume.fromJSON({ '/file': 'f', '/dir/a/b': 'b', '/dir/c': 'c' })
    await runScript(wall, 'cd /work; busybox rm -r file dir; busybox mkdir -p file/x; echo d > dir; echo y > file/x/y', volume)
    assert.equal(volume.toJSON(), { '/dir': 'd\n', '/file/x/y': 'y\n' })
  })

  attack('names that a program might trip over are names', async (wall) => {
    const volume = new Volume()
    const script = `cd /work; for n in __proto__ constructor toString '...' 'a\\b' 'c:' ' ' '-rf' '*'; do echo "$n" > "./$n"; done
      busybox mkdir hasOwnProperty; printf x > "$(printf 'new\\nline\\033[2J')"`
    assert.is((await runScript(wall, script, volume)).exitCode, 0)
    for (const each of ['__proto__', 'constructor', 'toString', '...', 'a\\b', 'c:', ' ', '-rf', '*'])
      assert.is(volume.readFileSync(`/${each}`, 'utf8'), `${each}\n`)
    assert.ok(volume.existsSync('/new\nline\u001b[2J'))
    assert.is(({} as { polluted?: unknown }).polluted, undefined)
  })

  attack('who still writes when the guest ends writes no more when its files are read', async (wall) => {
    const volume = new Volume()
    const script = `for n in 1 2 3; do (while :; do echo $n >> /work/f; busybox mkdir -p /work/d/$n; busybox rm -r /work/d; done) 2> /dev/null & done; until [ -s /work/f ]; do busybox sleep 0.1; done; busybox sleep 0.3`
    await runScript(wall, script, volume)
    const size = volume.statSync('/f').size
    await sleep(200)
    assert.is(volume.statSync('/f').size, size)
    assert.is((volume.readFileSync('/f') as Buffer).length, size)
  })

  attack('a guest mounts, moves or remounts nothing there, and sees no other descriptor', async (wall) => {
    const volume = Volume.fromJSON({ '/f': 'x' })
    const script = `busybox mount -t tmpfs none /work; busybox umount /work; busybox mount -o remount,size=1g /work; busybox mount -o remount,suid,dev /work
      echo /proc/self/fd/*; busybox grep ' /work ' /proc/self/mountinfo`
    const { output } = await runScript(wall, script, volume)
    assert.is(output.match(/Operation not permitted|must be superuser|permission denied/gi)?.length, 4, output)
    assert.match(output, / \/work rw,nosuid,nodev,noatime - tmpfs none rw,size=\d+k,nr_inodes=\d+/)
    assert.match(output, /^\/proc\/self\/fd\/0 \/proc\/self\/fd\/1 \/proc\/self\/fd\/2( \/proc\/self\/fd\/\d+)?\n/)
  })

  attack('a setuid file of the object gains nothing, and a device of it is none', async (wall) => {
    const volume = new Volume()
    volume.writeFileSync('/busybox', readFileSync('/bin/busybox'))
    volume.chmodSync('/busybox', 0o6755)
    const user = map().kind === 'range' ? { uid: 1000, gid: 1000, additionalGids: [] } : { uid: 0, gid: 0, additionalGids: [] }
    const { output } = await runScript(
      wall,
      '/work/busybox id -u; /work/busybox grep -E "^(Cap(Eff|Prm)|NoNewPrivs)" /proc/self/status',
      volume,
      {
        change: { process: { user } },
      },
    )
    assert.match(output, new RegExp(`^${user.uid}\\n`))
    assert.match(output, /NoNewPrivs:\t1/)
  })

  attack('a guest that kills all it can, its init too, leaves what it had written', async (wall) => {
    const volume = new Volume()
    await runScript(wall, 'echo kept > /work/f; kill -9 -1; kill -9 1; kill -9 $$; busybox sleep 5', volume).catch(() => {})
    assert.equal(volume.toJSON(), { '/f': 'kept\n' })
  })
}

test.run()
