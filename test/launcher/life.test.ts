import { execFileSync } from 'node:child_process'
import { closeSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import * as assert from 'uvu/assert'
import { EngineError } from '../../src/errors.js'
import { launch } from '../../src/launcher/client.js'
import { eventually, idMaps, processesWith, withBox } from '../support/launcher-box.js'
import { BUSYBOX, NATIVE } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('launcher/life')
const native = test.needs(NATIVE, BUSYBOX)
let markers = 0
const newMarker = () => `wolffia-marker-${process.pid}-${++markers}`

for (const idMap of idMaps()) {
  native(`killing the launcher leaves nothing running under a ${idMap.kind} id map`, () =>
    withBox(async (box) => {
      const marker = newMarker()
      const launcher = box.launch(['sh', '-c', `busybox setsid sleep 1000 & sleep 1000; : ${marker}`], { idMap })
      const { created } = await launcher.ready
      await launcher.go()
      await eventually('the guest runs', () => processesWith(marker).length > 0)
      assert.ok(launcher.pid !== undefined)
      process.kill(launcher.pid ?? 0, 'SIGKILL')
      await eventually('nothing is left', () => processesWith(marker).length === 0 && !exists(created.pid) && !exists(created.guest))
      assert.is(await launcher.exited.catch((error: EngineError) => error.code), 'LAUNCHER_FAILED')
    }),
  )

  native(`closing the control socket kills the container, before go and after, under a ${idMap.kind} id map`, () =>
    withBox(async (box) => {
      for (const started of [false, true]) {
        const launcher = box.launch(['sleep', '1000'], { idMap })
        const { created } = await launcher.ready
        if (started) await launcher.go()
        launcher.kill()
        const exited = await launcher.exited
        assert.is(exited.signal, 9)
        await eventually('the guest is gone', () => !exists(created.guest) && !exists(created.pid))
      }
    }),
  )

  native(`a signal goes to the guest, whatever user it is, under a ${idMap.kind} id map`, () =>
    withBox(async (box) => {
      const user = idMap.kind === 'range' ? ([1000, 1000] as const) : ([0, 0] as const)
      const launcher = box.launch(['sh', '-c', 'trap "exit 9" USR1; echo ready; while :; do sleep 0.02; done'], { idMap, user })
      await launcher.ready
      await launcher.go()
      await new Promise((resolve) => launcher.stdout?.once('data', resolve))
      launcher.signal(10)
      assert.is((await launcher.exited).code, 9)
    }),
  )
}

native('a guest that a signal ends before go has been started by go, and tells of its end', () =>
  withBox(async (box) => {
    const launcher = box.launch(['sleep', '1000'])
    const { created } = await launcher.ready
    launcher.signal(2)
    await eventually('the guest is gone', () => !exists(created.guest))
    await launcher.go()
    assert.is((await launcher.exited).signal, 2)
  }),
)

native('an aborted launch ends with ABORTED and nothing running', () =>
  withBox(async (box) => {
    const abort = new AbortController()
    const launcher = box.launch(['sleep', '1000'], { launch: { signal: abort.signal } })
    const { created } = await launcher.ready
    await launcher.go()
    abort.abort()
    const error = await launcher.exited.catch((thrown: unknown) => thrown)
    assert.instance(error, EngineError)
    assert.is((error as EngineError).code, 'ABORTED')
    await eventually('the guest is gone', () => !exists(created.guest))
  }),
)

test('a launch whose signal has aborted before is refused with ABORTED', () => {
  try {
    launch({ operations: [], exec: null }, { signal: AbortSignal.abort() })
    assert.unreachable()
  } catch (error) {
    assert.is((error as EngineError).code, 'ABORTED')
  }
})

native('init reaps orphans and forwards what it is sent', () =>
  withBox(async (box) => {
    const { stdout, exited } = await box.shell(
      'trap "echo forwarded; exit 6" USR2; for i in 1 2 3 4 5; do (busybox true &) ; done; sleep 0.3; i=0; until [ $i = 99 ] || ! busybox grep -q zombie /proc/[0-9]*/status; do i=$((i+1)); sleep 0.1; done; busybox cat /proc/[0-9]*/status | busybox grep -c zombie; kill -USR2 1; while :; do sleep 0.02; done',
    )
    assert.is(stdout, '0\nforwarded\n')
    assert.is(exited.code, 6)
  }),
)

native('init survives every signal the guest may send it', () =>
  withBox(async (box) => {
    const { exited } = await box.shell(
      'trap "" TERM INT HUP USR1 USR2 QUIT; for s in 1 2 3 6 9 11 15 19; do kill -$s 1; done; sleep 0.1; exit 8',
    )
    // Those that the guest does not ignore come back to it; init itself never ends by one.
    assert.ok(exited.code === 8 || exited.signal !== null, JSON.stringify(exited))
  }),
)

native('a launcher that is killed at any moment of a start leaves nobody behind', () =>
  withBox(async (box) => {
    const orphans: number[] = []
    // On and on where the machine is so slow that it was killed before it had a child.
    for (let delayMs = 0; delayMs < 8 || (orphans.length < 10 && delayMs < 60); delayMs += 0.2) {
      const launcher = box.launch(['sleep', '1000'])
      const pid = launcher.pid ?? 0
      for (const until = performance.now() + delayMs; performance.now() < until; ) await new Promise(setImmediate)
      // Stopped first, so that it makes no child between the look and its death.
      process.kill(pid, 'SIGSTOP')
      await eventually('it stands still', () => !/^State:\s+[RSD]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')))
      orphans.push(...childrenOf(pid))
      process.kill(pid, 'SIGKILL')
      await launcher.exited.catch(() => {})
    }
    assert.ok(orphans.length > 5, `${orphans.length} were killed with a child`)
    await eventually('all of them are gone', () => !orphans.some(exists))
  }),
)

native('a guest’s stdout in another’s hands does not keep its container', () =>
  withBox(async (box) => {
    const holder = box.launch(['sleep', '1000'], { stdin: 'open' })
    const { created } = await holder.ready
    await holder.go()
    // As if it had been sent over a socket: this process holds the guest's own end of the pipe from now on.
    const held = openSync(`/proc/${created.guest}/fd/1`, 'w')
    try {
      const output = text(holder.stdout as Readable)
      writeSync(held, 'said before the end')
      holder.signal(9)
      assert.is((await holder.exited).signal, 9)
      assert.is(await output, 'said before the end')
    } finally {
      closeSync(held)
    }
  }),
)

native('a guest that was killed does not live on by what nobody reads', () =>
  withBox(async (box) => {
    const unread = { supervision: [['time-limit', 100] as const] }
    for (const options of [unread, {}]) {
      const launcher = box.launch(['busybox', 'yes'], options)
      await launcher.ready
      await launcher.go()
      if (options !== unread) launcher.signal(9)
      assert.is((await launcher.exited).reason, options === unread ? 'timeout' : 'signaled')
    }
  }),
)

native('what a guest said before it ended by itself is kept for a reader however slow', () =>
  withBox(async (box) => {
    const launcher = box.launch(['busybox', 'seq', '1', '60000'])
    // Somebody who will read, or Node would throw it away.
    launcher.stdout?.on('readable', () => {})
    await launcher.ready
    await launcher.go()
    await new Promise((resolve) => setTimeout(resolve, 1500))
    const output = await text(launcher.stdout as Readable)
    assert.is(output.split('\n').length, 60001)
    assert.is((await launcher.exited).code, 0)
  }),
)

native('an idle container costs no processor time', () =>
  withBox(async (box) => {
    const launcher = box.launch(['sleep', '1000'], { stdin: 'open' })
    const { created } = await launcher.ready
    await launcher.go()
    const ticks = () =>
      [launcher.pid ?? 0, created.pid].map((pid) => {
        const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
        return Number(fields[11]) + Number(fields[12])
      })
    // The start may have to come to rest, on a machine that is busy; what turns for ever is never at rest.
    for (let tries = 0; ; tries++) {
      const before = ticks()
      await new Promise((resolve) => setTimeout(resolve, 500))
      const after = ticks()
      if (after.every((value, index) => value - (before[index] ?? 0) <= 2)) break
      assert.ok(tries < 10, `${before} ${after}`)
    }
    launcher.kill()
    await launcher.exited
  }),
)

native('init holds one pipe and nothing else of the host', () =>
  withBox(async (box) => {
    const launcher = box.launch(['sleep', '1000'])
    const { created } = await launcher.ready
    await launcher.go()
    const held = execFileSync('ls', ['-l', `/proc/${created.pid}/fd`], { encoding: 'utf8' })
      .trim()
      .split('\n')
      .slice(1)
    assert.is(held.length, 1, held.join('\n'))
    assert.match(held[0] ?? '', /pipe:/)
    assert.match(readFileSync(`/proc/${created.pid}/status`, 'utf8'), /^CapEff:\s+0000000000000020$/m)
    launcher.kill()
    await launcher.exited
  }),
)

function childrenOf(parent: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return new RegExp(`^PPid:\\s+${parent}$`, 'm').test(readFileSync(`/proc/${pid}/status`, 'utf8'))
      } catch {
        return false
      }
    })
}

function exists(pid: number): boolean {
  try {
    // A zombie that nobody has reaped yet runs no more.
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

test.run()
