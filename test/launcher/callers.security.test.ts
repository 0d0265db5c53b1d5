import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, truncateSync } from 'node:fs'
import { createConnection, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import { type Caller, callLauncher } from '../../src/launcher/caller.js'
import type { LauncherProcess } from '../../src/launcher/client.js'
import type { Operation } from '../../src/launcher/operations.js'
import { type Box, type BoxOptions, eventually, withBox } from '../support/launcher-box.js'
import { BUSYBOX, NATIVE, program } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('launcher/callers-attacks')
const native = test.needs(NATIVE, BUSYBOX)
const limited = test.needs(NATIVE, BUSYBOX, program('prlimit'))

const started = new Set<LauncherProcess>()
// They outlive a test that fails.
process.on('exit', () => {
  for (const { pid } of started) if (pid !== undefined) process.kill(pid, 'SIGKILL')
})

async function running(box: Box, script: string, options: BoxOptions = {}): Promise<LauncherProcess> {
  const supervision: Operation[] = [
    ['outlive'],
    ['listen', box.folder],
    ['log', join(box.folder, 'log'), 0, 1],
    ['end-record', join(box.folder, 'end.json')],
  ]
  const launcher = box.launch(['sh', '-c', script], { supervision, launch: { stdio: ['ignore', 'ignore', 'ignore'] }, ...options })
  started.add(launcher)
  const forget = () => started.delete(launcher)
  launcher.exited.then(forget, forget)
  await launcher.ready
  await launcher.go()
  return launcher
}

async function caller({ folder }: Box): Promise<Caller> {
  const found = await callLauncher(folder)
  if (found === null) throw new Error('nobody listens')
  return found
}

/** A connection that says and hears bytes, not frames. */
async function connection({ folder }: Box): Promise<Socket> {
  const socket = createConnection(join(folder, 'control'))
  socket.on('error', () => {})
  await new Promise((resolve) => socket.once('connect', resolve))
  return socket
}

function frame(kind: string, length: number, bytes = ''): Buffer {
  const header = Buffer.alloc(8)
  header.write(kind, 0, 'latin1')
  header.writeUInt32BE(length, 4)
  return Buffer.concat([header, Buffer.from(bytes)])
}

/** Milliseconds of processor time that the launcher has used. */
function processorMs({ pid }: LauncherProcess): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}

/** Fails when the launcher never comes to rest while nothing happens. */
async function assertIdle(launcher: LauncherProcess, what: string): Promise<void> {
  for (let tries = 0; ; tries++) {
    const before = processorMs(launcher)
    await sleep(500)
    const used = processorMs(launcher) - before
    if (used <= 100) return
    assert.ok(tries < 10, `${what}: ${used} ms of processor time in 500 ms`)
  }
}

function limit({ pid }: LauncherProcess, limits: string): void {
  execFileSync('prlimit', ['--pid', String(pid), limits])
}

const logged = ({ folder }: Box): string =>
  readFileSync(join(folder, 'log'), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line).log)
    .join('')

async function end(box: Box, launcher: LauncherProcess): Promise<void> {
  await (await caller(box)).command('signal 9')
  await launcher.exited
}

native('callers that lie about lengths, stop in the middle, or say what nobody says hurt only themselves', () =>
  withBox(async (box) => {
    const launcher = await running(box, 'cat', { stdin: 'kept' })
    const other = await caller(box)
    other.stderr.resume()
    let heard = ''
    other.stdout.on('data', (bytes) => {
      heard += String(bytes)
    })
    await other.attach()
    const messages = [
      frame('c', 0xffffffff, 'signal 9'),
      frame('c', 5000, 'x'.repeat(5000)),
      frame('c', 4096, 'y'.repeat(4096)),
      frame('c', 0),
      frame('c', 9, 'signal 99'),
      frame('c', 7, 'signal '),
      frame('e', 0xffffffff, 'z'.repeat(9000)),
      frame('\0', 0x80000000, 'q'.repeat(9000)),
      frame('\xff', 3, 'abc'),
      Buffer.alloc(7),
      Buffer.alloc(65_536, 0xff),
    ]
    for (const message of messages) {
      for (const piece of [message.length, 1, 7]) {
        const socket = await connection(box)
        for (let at = 0; at < Math.min(message.length, 30_000 / (message.length / piece)); at += piece)
          socket.write(message.subarray(at, at + piece))
        if (piece === 7) socket.destroy()
        else socket.end()
      }
    }
    // One that says less than it has announced, and goes.
    const liar = await connection(box)
    liar.write(frame('i', 1_000_000, 'some\n'))
    await eventually('what it said is passed on', () => heard === 'some\n')
    liar.destroy()
    other.stdin.write('more\n')
    await eventually('the guest goes on', () => heard === 'some\nmore\n')
    await assertIdle(launcher, 'after all that')
    await end(box, launcher)
  }),
)

native('a caller that gives commands and reads no answer is not listened to beyond what it has to read', () =>
  withBox(async (box) => {
    const launcher = await running(box, 'sleep 1000')
    const size = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${launcher.pid}/status`, 'utf8'))?.[1])
    const before = size()
    const socket = await connection(box)
    socket.pause()
    const commands = Buffer.concat(Array.from({ length: 10_000 }, () => frame('c', 0)))
    for (let count = 0; count < 200; count++) socket.write(commands)
    await sleep(1000)
    assert.ok(size() - before < 2048, `${size() - before} KiB more`)
    await assertIdle(launcher, 'a caller that does not read')
    socket.destroy()
    await end(box, launcher)
  }),
)

native('a launcher whose reader has stopped, whose guest’s stdin is full, or whose callers are gone, waits without a turn', () =>
  withBox(async (box) => {
    const launcher = await running(box, 'while true; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done', {
      stdin: 'kept',
    })
    const reader = await connection(box)
    reader.write(frame('c', 6, 'attach'))
    reader.pause()
    await sleep(300)
    await assertIdle(launcher, 'a stopped reader')
    const writers = [await connection(box), await connection(box)]
    for (const writer of writers) writer.write(frame('i', 200_000, 'x'.repeat(200_000)))
    await sleep(200)
    await assertIdle(launcher, 'a full stdin')
    for (const writer of writers) writer.destroy()
    await assertIdle(launcher, 'a full stdin, and who wrote it gone')
    await end(box, launcher)
  }),
)

limited('a launcher without room for one more descriptor turns callers away and does not spin', () =>
  withBox(async (box) => {
    const launcher = await running(box, 'sleep 1000')
    const own = await caller(box)
    limit(launcher, '--nofile=24:24')
    const crowd: Socket[] = []
    for (let count = 0; count < 30; count++) crowd.push(await connection(box))
    await assertIdle(launcher, 'no descriptor left')
    for (const socket of crowd) socket.destroy()
    await own.command('signal 0')
    await end(box, launcher)
  }),
)

limited('a file size limit that its starter had stops the log and never the container', () =>
  withBox(async (box) => {
    const launcher = await running(box, 'i=0; while [ $i -lt 500 ]; do echo line $i; i=$((i+1)); done; sleep 1000')
    await eventually('all is logged', () => readFileSync(join(box.folder, 'log'), 'utf8').includes('line 499'))
    await end(box, launcher)
    const whole = readFileSync(join(box.folder, 'log'), 'utf8')
    assert.match(whole, /line 499/)
    truncateSync(join(box.folder, 'log'), 0)
    const other = await running(box, 'read x; i=0; while [ $i -lt 500 ]; do echo line $i; i=$((i+1)); done; exit 5', { stdin: 'kept' })
    limit(other, '--fsize=4096:4096')
    ;(await caller(box)).stdin.write('x\n')
    assert.is((await other.exited).code, 5)
    const kept = logged(box)
    assert.ok(kept.startsWith('line 0\nline 1\n') && readFileSync(join(box.folder, 'log')).length <= 4096, kept)
  }),
)

native('a log that somebody empties while it is written goes on from there', () =>
  withBox(async (box) => {
    const options = {
      stdin: 'kept',
      supervision: [['outlive'], ['listen', box.folder], ['log', join(box.folder, 'log'), 4000, 2]] as const satisfies readonly Operation[],
    } as const
    const launcher = await running(box, 'for i in 1 2 3 4 5 6 7 8 9; do read x; echo line $x; done', options)
    const other = await caller(box)
    for (const word of ['one', 'two', 'three']) {
      other.stdin.write(`${word.padEnd(1000, '.')}\n`)
      await eventually(`${word} is logged`, () => logged(box).includes(word))
    }
    truncateSync(join(box.folder, 'log'), 0)
    for (const word of ['four', 'five', 'six']) {
      other.stdin.write(`${word.padEnd(1000, '.')}\n`)
      await eventually(`${word} is logged`, () => logged(box).includes(word))
    }
    assert.not.ok(existsSync(join(box.folder, 'log.1')), 'it is not turned over before it is full')
    await end(box, launcher)
  }),
)

native('a character that the end of a piece of 16 KiB would cut stays whole in the log', () =>
  withBox(async (box) => {
    const script = (before: number) =>
      `head -c ${before} /dev/zero | busybox tr '\\0' a; printf '\\303\\251\\342\\202\\254\\360\\237\\220\\263\\n'`
    for (const [before, inOneWrite] of [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].flatMap(
      (less) =>
        [
          [16_384 - less, false],
          [16_384 - less, true],
        ] as const,
    )) {
      const launcher = await running(
        box,
        inOneWrite ? `{ ${script(before)}; } | (busybox dd bs=64k iflag=fullblock 2>/dev/null)` : script(before),
      )
      await launcher.exited
      assert.is(logged(box).slice(before - 1), 'aé€🐳\n', `after ${before}`)
      truncateSync(join(box.folder, 'log'), 0)
    }
    // What is no character is cut where the piece ends, and nothing is held back for ever.
    const launcher = await running(
      box,
      "head -c 16383 /dev/zero | busybox tr '\\0' a; printf '\\360\\237\\377\\200\\200\\200\\200\\200'; exit",
    )
    await launcher.exited
    assert.is(logged(box).replaceAll('\ufffd', '').length, 16_383)
  }),
)

test.run()
