import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import { EngineError } from '../../src/errors.js'
import { type Caller, callLauncher } from '../../src/launcher/caller.js'
import type { LauncherProcess } from '../../src/launcher/client.js'
import { launch } from '../../src/launcher/client.js'
import { assetPath, seccompAsset } from '../../src/launcher/installation.js'
import type { Operation } from '../../src/launcher/operations.js'
import { type Box, type BoxOptions, eventually, idMaps, processesWith, withBox } from '../support/launcher-box.js'
import { BUSYBOX, NATIVE } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('launcher/callers')
const native = test.needs(NATIVE, BUSYBOX)

/** The parent's operations of a container that is nobody's. */
function supervision({ folder }: Box, more: readonly Operation[] = []): Operation[] {
  return [
    ['outlive'],
    ['listen', folder],
    ['log', join(folder, 'log'), 0, 1],
    ['end-record', join(folder, 'end.json')],
    ['journal', join(folder, 'journal'), 'box'],
    ...more,
  ]
}

async function started(box: Box, script: string, options: BoxOptions = {}): Promise<LauncherProcess> {
  const launcher = box.launch(['sh', '-c', script], {
    supervision: supervision(box),
    ...options,
    launch: { stdio: ['ignore', 'ignore', 'ignore'], ...options.launch },
  })
  await launcher.ready
  return launcher
}

async function caller({ folder }: Box): Promise<Caller> {
  const found = await callLauncher(folder)
  if (found === null) throw new Error('nobody listens')
  return found
}

const readEnd = ({ folder }: Box) => JSON.parse(readFileSync(join(folder, 'end.json'), 'utf8'))
const readLog = ({ folder }: Box, name = 'log') =>
  readFileSync(join(folder, name), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))

native('a caller that attaches before the start gets every byte of both outputs, and hears of the end', () =>
  withBox(async (box) => {
    const launcher = await started(box, 'echo out; echo err >&2; exit 3')
    const other = await caller(box)
    const output = Promise.all([text(other.stdout), text(other.stderr)])
    await other.attach()
    await launcher.go()
    const end = await other.exited
    assert.equal({ code: end?.code, reason: end?.reason }, { code: 3, reason: 'exited' })
    assert.equal(await output, ['out\n', 'err\n'])
    await launcher.exited
    assert.is(await callLauncher(box.folder), null)
  }),
)

native('the container outlives who started it, and is stopped by another', () =>
  withBox(async (box) => {
    const launcher = await started(box, `sleep 1000; true ${box.folder}`)
    await launcher.go()
    launcher.kill()
    await sleep(100)
    await eventually('the guest runs', () => processesWith(box.folder).length > 0)
    const other = await caller(box)
    await other.command('signal 9')
    assert.is((await other.exited)?.signal, 9)
    await launcher.exited.catch(() => {})
    await eventually('the record is written', () => existsSync(join(box.folder, 'end.json')))
    assert.is(readEnd(box).signal, 9)
    assert.ok(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/.test(readEnd(box).time))
    assert.ok(Math.abs(Date.parse(readEnd(box).time) - Date.now()) < 60_000, readEnd(box).time)
    assert.match(readFileSync(join(box.folder, 'journal'), 'utf8'), /^box \{"event":"exited",.*\}\n$/)
    await eventually('nothing is left', () => processesWith(box.folder).length === 0)
  }),
)

native('a caller that leaves before the start takes the container with it, though it is to outlive him', () =>
  withBox(async (box) => {
    const launcher = await started(box, 'sleep 1000')
    launcher.kill()
    await launcher.exited
    assert.not.ok(existsSync(join(box.folder, 'end.json')))
  }),
)

native('input of several callers reaches the guest; its end only where the plan says so', () =>
  withBox(async (box) => {
    for (const stdin of ['kept', 'open'] as const) {
      const launcher = await started(box, 'cat', { stdin })
      const [one, two] = [await caller(box), await caller(box)]
      let heard = ''
      one.stdout.on('data', (chunk) => {
        heard += String(chunk)
      })
      one.stderr.resume()
      await one.attach()
      await launcher.go()
      await new Promise((resolve) => two.stdin.write('two\n', resolve))
      await two.command('attach')
      one.stdin.end('one\n')
      if (stdin === 'kept') {
        await eventually('all is echoed', () => heard === 'two\none\n')
        await two.command('signal 9')
      }
      two.stdout.resume()
      two.stderr.resume()
      assert.is((await one.exited)?.signal, stdin === 'kept' ? 9 : null)
      assert.is(heard, 'two\none\n')
      await launcher.exited
    }
  }),
)

native('a guest waits for an attached caller that reads slowly, and loses nothing', () =>
  withBox(async (box) => {
    const bytes = 8 << 20
    const launcher = await started(box, `head -c ${bytes} /dev/zero | busybox tr '\\0' a`, {
      supervision: [['outlive'], ['listen', box.folder]],
    })
    const other = await caller(box)
    await other.attach()
    await launcher.go()
    other.stderr.resume()
    await sleep(200)
    let length = 0
    for await (const chunk of other.stdout) length += chunk.length
    assert.is(length, bytes)
    await launcher.exited
  }),
)

native('a terminal is shared: input, size and output of any caller', () =>
  withBox(async (box) => {
    const launcher = await started(box, 'busybox stty -echo; busybox stty size; read x; busybox stty size; echo "got $x"', {
      terminal: true,
      stdin: 'kept',
      supervision: supervision(box, [['terminal-size', 10, 20]]),
    })
    const other = await caller(box)
    let heard = ''
    other.stdout.on('data', (chunk) => {
      heard += String(chunk).replaceAll('\r', '')
    })
    other.stderr.resume()
    await other.attach()
    await launcher.go()
    await eventually('the first size is there', () => heard === '10 20\n')
    await other.command('resize 33 44')
    other.stdin.write('word\n')
    await other.exited
    assert.is(heard, '10 20\n33 44\ngot word\n')
    await launcher.exited
  }),
)

native('everything in the container stops at one moment and goes on at another', () =>
  withBox(async (box) => {
    const launcher = await started(box, `(while true; do echo x; sleep 0.02; done) & echo ${box.folder} >/dev/null; wait`)
    const other = await caller(box)
    let length = 0
    other.stdout.on('data', (chunk) => {
      length += chunk.length
    })
    other.stderr.resume()
    await other.attach()
    await launcher.go()
    await eventually('it writes', () => length > 4)
    await other.command('pause')
    // What it wrote before may still be on its way.
    let before = -1
    await eventually('no more comes', () => {
      const isSettled = length === before
      before = length
      return isSettled
    })
    await sleep(200)
    assert.is(length, before)
    await other.command('resume')
    await eventually('it goes on', () => length > before)
    await other.command('pause')
    await other.command('signal 9')
    assert.is((await other.exited)?.signal, 9)
    await launcher.exited
  }),
)

native('a deadline that is set while it runs ends the guest as a time limit does', () =>
  withBox(async (box) => {
    const launcher = await started(box, 'sleep 1000')
    await launcher.go()
    launcher.deadline(100)
    assert.is((await launcher.exited).reason, 'timeout')
    assert.is(readEnd(box).reason, 'timeout')
  }),
)

native('the log holds each line with its stream and time, whatever bytes it has', () =>
  withBox(async (box) => {
    const script = `echo one; echo two >&2; printf 'a"\\\\\\t\\377z\\303\\251\\n'; printf 'no end'`
    const launcher = await started(box, script)
    await launcher.go()
    await launcher.exited
    const log = readLog(box)
    assert.equal(
      log.filter(({ stream }) => stream === 'stdout').map((entry) => entry.log),
      ['one\n', 'a"\\\t\ufffdzé\n', 'no end'],
    )
    assert.equal(
      log.filter(({ stream }) => stream === 'stderr').map((entry) => entry.log),
      ['two\n'],
    )
    for (const { time } of log) assert.ok(Math.abs(Date.parse(time) - Date.now()) < 60_000, time)
  }),
)

native('a line longer than 16 KiB is logged in pieces', () =>
  withBox(async (box) => {
    const launcher = await started(box, "head -c 40000 /dev/zero | busybox tr '\\0' a; echo")
    await launcher.go()
    await launcher.exited
    const pieces = readLog(box).map(({ log }) => log)
    assert.is(pieces.join(''), `${'a'.repeat(40_000)}\n`)
    assert.equal(
      pieces.map(({ length }) => length),
      [16_384, 16_384, 40_001 - 2 * 16_384],
    )
  }),
)

native('a log that is full is turned over, and only so many are kept', () =>
  withBox(async (box) => {
    const log = join(box.folder, 'log')
    for (const files of [1, 3]) {
      const launcher = await started(box, 'i=0; while [ $i -lt 200 ]; do echo line $i; i=$((i+1)); done', {
        supervision: [['outlive'], ['log', log, 2000, files]],
      })
      await launcher.go()
      await launcher.exited
      const kept = [2, 1, 0].map((number) => (number === 0 ? 'log' : `log.${number}`)).filter((name) => existsSync(join(box.folder, name)))
      assert.is(kept.length, files)
      const lines = kept.flatMap((name) => readLog(box, name)).map((entry) => entry.log)
      assert.is(lines.at(-1), 'line 199\n')
      assert.equal(
        lines,
        Array.from({ length: lines.length }, (_, index) => `line ${200 - lines.length + index}\n`),
      )
      for (const name of kept) {
        assert.ok(readFileSync(join(box.folder, name)).length <= 2000)
        rmSync(join(box.folder, name))
      }
    }
  }),
)

native('a log that somebody removes is begun anew', () =>
  withBox(async (box) => {
    const launcher = await started(box, 'echo one; read x; echo two', { stdin: 'kept' })
    const other = await caller(box)
    await launcher.go()
    await eventually('the first line is there', () => readFileSync(join(box.folder, 'log'), 'utf8').includes('one'))
    rmSync(join(box.folder, 'log'))
    other.stdin.write('x\n')
    await launcher.exited
    assert.equal(
      readLog(box).map((entry) => entry.log),
      ['two\n'],
    )
  }),
)

native('a disk that is full leaves whole lines in the log, and the guest goes on', () =>
  withBox(async (box) => {
    // A file size limit of the launcher's own stands for the disk: it too refuses in the middle of a write.
    writeFileSync(join(box.folder, 'log'), `${JSON.stringify({ log: 'x'.repeat(100) })}\n`)
    const launcher = await started(box, 'head -c 300000 /dev/zero | busybox tr "\\0" a | busybox fold -w 100; exit 4', {
      supervision: supervision(box).map((operation) => (operation[0] === 'log' ? ['log', '/dev/full', 0, 1] : operation)),
    })
    await launcher.go()
    assert.is((await launcher.exited).code, 4)
  }),
)

native('a command is run when it has ended, and another again and again while it runs, each without anything of ours', () =>
  withBox(async (box) => {
    const note = (name: string) => `env | grep -v ^PWD= | sort >>${box.folder}/${name}; ls /proc/self/fd >>${box.folder}/${name}`
    const launcher = await started(box, 'read x', {
      stdin: 'kept',
      supervision: supervision(box, [
        ...['/bin/sh', '-c', note('end')].map((word): Operation => ['end-argument', word]),
        ...['/bin/sh', '-c', note('beat')].map((word): Operation => ['beat-argument', word]),
        ['beat-interval', 100],
        ['command-variable', 'PATH=/usr/bin:/bin'],
        ['command-variable', 'NAME=value'],
      ]),
    })
    const began = Date.now()
    await launcher.go()
    const beats = () =>
      (existsSync(join(box.folder, 'beat')) ? readFileSync(join(box.folder, 'beat'), 'utf8').match(/NAME=value/g)?.length : 0) ?? 0
    await eventually('it beats', () => beats() >= 3)
    ;(await caller(box)).stdin.write('x\n')
    await launcher.exited
    await eventually(
      'the last command has run',
      () => existsSync(join(box.folder, 'end')) && readFileSync(join(box.folder, 'end'), 'utf8').endsWith('3\n'),
    )
    assert.is(readFileSync(join(box.folder, 'end'), 'utf8'), 'NAME=value\nPATH=/usr/bin:/bin\n0\n1\n2\n3\n')
    const most = (Date.now() - began) / 100
    assert.ok(beats() <= most, `${beats()} beats, and ${most} at most`)
  }),
)

for (const idMap of idMaps())
  native(`another program joins a running container and has what it has (${idMap.kind})`, () =>
    withBox(async (box) => {
      const launcher = await started(box, 'echo there >/tmp/file; sleep 1000', { idMap })
      await launcher.go()
      const { created, receipt } = await launcher.ready
      const start =
        readFileSync(`/proc/${created.pid}/stat`, 'utf8')
          .replace(/^.*\) /, '')
          .split(' ')[19] ?? ''
      const seccomp = assetPath(seccompAsset() ?? '')
      const plan = box.plan([
        'sh',
        '-c',
        'cat /tmp/file; read x; echo "$x $PPID"; busybox ps -o pid,args; busybox id -u; cat /proc/self/status',
      ])
      const at = plan.operations.findIndex(([name]) => name === 'switch-root')
      const joining = launch(
        {
          operations: [
            ...['user', 'mount', 'pid', 'ipc', 'uts', 'net', 'cgroup'].map((name): Operation => ['namespace', name]),
            ['join', created.pid, start],
            ['stdio', 'pipes', 'open'],
            ['oom-score-adjust', 500],
            ...plan.operations.slice(at + 1),
          ],
          exec: plan.exec,
        },
        { stdio: ['pipe', 'pipe', 'pipe'], seccompProgramPath: seccomp },
      )
      const inside = await joining.ready
      assert.equal(inside.receipt.namespaces, receipt.namespaces)
      assert.is(inside.receipt.dumpable, false)
      assert.is(inside.receipt.oom_score_adj, 500)
      assert.equal(inside.receipt.descriptors, [0, 1, 2])
      const output = text(joining.stdout as NodeJS.ReadableStream)
      joining.stdin?.end('word\n')
      await joining.go()
      assert.is((await joining.exited).code, 0)
      const said = await output
      assert.match(said, /^there\nword 0\n/)
      assert.match(said, /sleep 1000/)
      assert.match(said, /\nNoNewPrivs:\t1\nSeccomp:\t2\n/)
      const other = await caller(box)
      await other.command('signal 9')
      await launcher.exited
    }),
  )

native('a program that joined ends with its caller, and the container goes on', () =>
  withBox(async (box) => {
    const launcher = await started(box, 'sleep 1000')
    await launcher.go()
    const { created } = await launcher.ready
    const start =
      readFileSync(`/proc/${created.pid}/stat`, 'utf8')
        .replace(/^.*\) /, '')
        .split(' ')[19] ?? ''
    const operations: Operation[] = [
      ...['user', 'mount', 'pid'].map((name): Operation => ['namespace', name]),
      ['join', created.pid, start],
      ['stdio', 'pipes', 'closed'],
    ]
    const joining = launch({ operations, exec: { args: ['/bin/sh', '-c', `sleep 999; true ${box.folder}`], env: ['PATH=/bin'] } })
    await joining.ready
    await joining.go()
    const guest = (await joining.ready).created.guest
    joining.kill()
    assert.is((await joining.exited).signal, 9)
    await eventually('it is gone', () => !existsSync(`/proc/${guest}`))
    assert.ok(existsSync(`/proc/${created.pid}`))
    const stale = launch({
      operations: operations.map((operation) => (operation[0] === 'join' ? ['join', created.pid, 1] : operation)),
      exec: { args: ['/bin/true'], env: [] },
    })
    try {
      await stale.ready
      assert.unreachable()
    } catch (error) {
      assert.ok(error instanceof EngineError && error.data.errno === 'ESRCH', String(error))
    }
    await (await caller(box)).command('signal 9')
    await launcher.exited
  }),
)

test.run()
