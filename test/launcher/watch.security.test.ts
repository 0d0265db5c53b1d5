/** A guest whose refused system calls are watched is refused the same, and gains nothing over who watches. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import * as assert from 'uvu/assert'
import type { Operation } from '../../src/launcher/operations.js'
import type { WatchedEvent } from '../../src/launcher/protocol.js'
import { SYSCALLS } from '../../src/launcher/syscalls.js'
import { compileGuest } from '../support/compile-guest.js'
import { type Box, eventually, idMaps, withBox } from '../support/launcher-box.js'
import { BUSYBOX, CC, NATIVE } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('launcher/watch')
const attack = test.needs(NATIVE, BUSYBOX, CC)

const EPERM = 1
const ENOSYS = 38
const MOUNT = SYSCALLS.mount[process.arch === 'arm64' ? 1 : 0]
const REFUSED: readonly Operation[] = [['seccomp-watch', 'refused', '', `${MOUNT}:-p----`]]
const ALLOWED: readonly Operation[] = [['seccomp-watch', 'allowed', '', '']]

interface Watched {
  readonly stdout: string
  readonly reason: string
  readonly watched: WatchedEvent | null
}

async function run(box: Box, args: readonly string[], supervision: readonly Operation[] = REFUSED): Promise<Watched> {
  const launched = box.launch(args, { supervision })
  launched.stderr?.resume()
  const output = launched.stdout === null ? Promise.resolve('') : text(launched.stdout)
  await launched.ready
  await launched.go()
  const { reason } = await launched.exited
  return { stdout: await output, reason, watched: launched.watched }
}

/** Runs test/fixtures/watched.c. */
async function guest(words: string, supervision?: readonly Operation[]): Promise<Watched> {
  let result: Watched | undefined
  await withBox(async (box) => {
    await compileGuest('watched', join(box.root, 'watched'))
    result = await run(box, ['/watched', ...words.split(' ')], supervision)
  })
  if (result === undefined) throw new Error('nothing ran')
  return result
}

for (const idMap of idMaps())
  attack(`every attempt of the native table is answered as without a watcher, under a ${idMap.kind} id map`, () =>
    withBox(async (box) => {
      await compileGuest('attacks', join(box.root, 'attacks'))
      const [alone, refused] = [await box.run(['/attacks'], { idMap }), await box.run(['/attacks'], { idMap, supervision: REFUSED })]
      assert.match(alone.stdout, /^mount EPERM$/m)
      assert.is(refused.stdout, alone.stdout)
    }),
  )

attack('what is let through as a program is learned is no more than the filter lets through', () =>
  withBox(async (box) => {
    await compileGuest('attacks', join(box.root, 'attacks'))
    const [alone, allowed] = [await box.run(['/attacks']), await box.run(['/attacks'], { supervision: ALLOWED })]
    assert.is(allowed.stdout, alone.stdout)
  }),
)

attack('a hundred thousand refused calls are one row with their number', async () => {
  const { stdout, watched } = await guest('storm 100000')
  assert.is(stdout, 'storm 100000\n')
  assert.equal(watched?.calls, [{ number: MOUNT, errno: EPERM, count: 100_000, values: {}, paths: { 1: '/storm' } }])
})

attack('refused calls of ever new kinds are listed up to a bound and counted from there', async () => {
  const { stdout, watched } = await guest('kinds 3000')
  assert.is(stdout, 'kinds 3000\n')
  assert.is(watched?.calls.length, 512)
  assert.is(watched?.more, 3000 - 512)
})

attack('paths that are no memory, the kernel’s, hidden, endless or no text are told as far as they can be read', async () => {
  const { stdout, watched } = await guest('wild')
  assert.is(stdout, 'wild 7\n')
  const paths = watched?.calls.map((call) => call.paths[1])
  assert.equal(paths, ['', 'aaaaaa', '\ufffd\u001b[31m"\n'])
})

attack('processes that are killed while they wait for an answer leave the others theirs', async () => {
  const { stdout } = await guest('dying 300')
  assert.is(stdout, 'dying 300\n')
})

attack('a signal in a refused call changes neither its answer nor how often it is counted', async () => {
  const { stdout, watched } = await guest('interrupted 5000')
  assert.is(stdout, 'interrupted 5000\n')
  assert.ok((watched?.calls[0]?.count ?? 0) >= 5000)
})

attack('a guest cannot listen in the watcher’s place', async () => {
  assert.is((await guest('listening')).stdout, 'listening 1\n')
})

attack('a guest that does nothing but refused calls ends at its time limit', async () => {
  const { reason, watched } = await guest('storm 1000000000', [...REFUSED, ['time-limit', 1500]])
  assert.is(reason, 'timeout')
  assert.is(watched?.calls.length, 1)
})

attack('a refused call stays refused when the watcher is gone', () =>
  withBox(async (box) => {
    await compileGuest('watched', join(box.root, 'watched'))
    const launched = box.launch(['/watched', 'asked'], { supervision: REFUSED, stdin: 'open' })
    let output = ''
    launched.stdout?.on('data', (chunk: Buffer) => {
      output += chunk
    })
    launched.stderr?.resume()
    const { created } = await launched.ready
    await launched.go()
    await eventually('the guest is ready', () => output.includes('ready\n'))
    const watchers = childrenOf(launched.pid ?? 0).filter((pid) => pid !== created.pid)
    assert.is(watchers.length, 1)
    for (const pid of watchers) process.kill(pid, 'SIGKILL')
    launched.stdin?.end('go\n')
    const { code } = await launched.exited
    assert.is(code, 0)
    assert.is(output, `ready\nasked ${ENOSYS}\n`)
    assert.is(launched.watched, null)
  }),
)

attack('the watcher keeps nothing of the parent’s open but what it needs', () =>
  withBox(async (box) => {
    await compileGuest('watched', join(box.root, 'watched'))
    const launched = box.launch(['/watched', 'asked'], { supervision: REFUSED, stdin: 'open' })
    launched.stdout?.resume()
    launched.stderr?.resume()
    const { created } = await launched.ready
    await launched.go()
    const [watcher] = childrenOf(launched.pid ?? 0).filter((pid) => pid !== created.pid)
    // It closes them as the first thing it does, which the guest does not wait for.
    await eventually('two descriptors', () => readdirSync(`/proc/${watcher}/fd`).length === 2)
    launched.stdin?.end('go\n')
    await launched.exited
  }),
)

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number)
}

test.run()
