import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import * as assert from 'uvu/assert'
import type { EngineError } from '../../src/errors.js'
import type { LauncherProcess } from '../../src/launcher/client.js'
import { assetPath } from '../../src/launcher/installation.js'
import { type Box, type BoxOptions, eventually, processesWith, withBox } from '../support/launcher-box.js'
import { BUSYBOX, NATIVE } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('launcher/spawner')
const native = test.needs(NATIVE, BUSYBOX)
const NAME = 'wolffia-spawner'

const UNHEARD = { stdio: ['ignore', 'pipe', 'pipe'] } as const

/** A guest that waits for its first instruction. */
async function waiting(box: Box, args: readonly string[], options: BoxOptions = {}): Promise<LauncherProcess> {
  const launcher = box.launch(args, { launch: UNHEARD, ...options })
  await launcher.ready
  return launcher
}

async function end(...launchers: readonly LauncherProcess[]): Promise<void> {
  for (const launcher of launchers) launcher.kill()
  await Promise.all(launchers.map(({ exited }) => exited))
}

function nameOf(pid: number): string {
  return readFileSync(`/proc/${pid}/comm`, 'utf8').trim()
}

function parentOf(pid: number | undefined): number {
  return Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
}

/** Spawners that are children of a process. */
function spawnersOf(parent: number): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => {
      try {
        return pid > 0 && nameOf(pid) === NAME && parentOf(pid) === parent
      } catch {
        return false
      }
    })
}

native('until a container has run the process itself starts them, then one spawner does', () =>
  withBox(async (box) => {
    const first = await waiting(box, ['sleep', '1000'])
    assert.is(parentOf(first.pid), process.pid)
    const other = await waiting(box, ['true'])
    assert.is(parentOf(other.pid), process.pid)
    assert.equal(spawnersOf(process.pid), [])
    await other.go()
    const second = await waiting(box, ['sleep', '1000'])
    const third = await waiting(box, ['sleep', '1000'])
    const spawner = parentOf(second.pid)
    assert.is(nameOf(spawner), NAME)
    assert.is(parentOf(spawner), process.pid)
    assert.is(parentOf(third.pid), spawner)
    await end(first, second, third)
  }),
)

native('what a guest of the spawner’s says comes whole, and its end is told as any other’s', () =>
  withBox(async (box) => {
    const launcher = await waiting(box, ['sh', '-c', 'busybox seq 1 30000; echo err >&2; cat; exit 6'])
    const said = Promise.all([launcher.stdout, launcher.stderr].map((stream) => text(stream as NonNullable<typeof stream>)))
    await launcher.go()
    assert.is((await launcher.exited).code, 6)
    const [stdout = '', stderr] = await said
    assert.is(stdout.split('\n').length, 30001)
    assert.is(stderr, 'err\n')
  }),
)

native('one that was killed is said to have been, by its signal', () =>
  withBox(async (box) => {
    const launcher = await waiting(box, ['sleep', '1000'])
    assert.ok(launcher.pid !== undefined)
    process.kill(launcher.pid ?? 0, 'SIGKILL')
    const error = await launcher.exited.catch((thrown: EngineError) => thrown)
    assert.match((error as EngineError).message, /without a word \(signal 9\)/)
  }),
)

native('attack: a launcher takes no socket along that was meant for another', () =>
  withBox(async (box) => {
    const launchers = [await waiting(box, ['sleep', '1000']), await waiting(box, ['sleep', '1000'])]
    for (const { pid } of launchers) {
      const numbers = readdirSync(`/proc/${pid}/fd`).map(Number)
      const sockets = numbers.filter((number) => readlinkSync(`/proc/${pid}/fd/${number}`).startsWith('socket:'))
      // stdout, stderr, control, and its own channel to its child.
      assert.is(sockets.length, 4, sockets.join())
      assert.ok(Math.max(...numbers) < 32, numbers.join())
    }
    const spawner = parentOf(launchers[0]?.pid)
    const kept = readdirSync(`/proc/${spawner}/fd`).length
    await end(...launchers)
    await eventually('the spawner has none of theirs', () => readdirSync(`/proc/${spawner}/fd`).length === kept - launchers.length)
  }),
)

native('when its sockets are used up another takes its place, and it ends with the last of what it has started', () =>
  withBox(async (box) => {
    const kept = await waiting(box, ['sleep', '1000'])
    const former = parentOf(kept.pid)
    for (let count = 0; count < 17; count++) await end(await waiting(box, ['true']))
    const last = await waiting(box, ['true'])
    assert.is.not(parentOf(last.pid), former)
    assert.ok(spawnersOf(process.pid).includes(former))
    await end(kept, last)
    await eventually('it has ended', () => !spawnersOf(process.pid).includes(former))
    assert.is(spawnersOf(process.pid).length, 1)
  }),
)

native('what cannot be handed on to it is started by the process: descriptors, input, a filter that is no file', () =>
  withBox(async (box) => {
    const file = openSync('/dev/null', 'r')
    const filter = readFileSync(assetPath(`seccomp-${process.arch === 'x64' ? 'x86_64' : 'aarch64'}.bin`))
    try {
      for (const launch of [
        { stdio: ['ignore', file, 'ignore'] as const },
        { stdio: ['pipe', 'pipe', 'pipe'] as const },
        { ...UNHEARD, descriptors: [file] },
        { ...UNHEARD, seccompProgram: filter },
      ]) {
        const launcher = await waiting(box, ['sleep', '1000'], { launch })
        assert.is(parentOf(launcher.pid), process.pid, Object.keys(launch).join())
        await end(launcher)
      }
    } finally {
      closeSync(file)
    }
  }),
)

native('a filter that is not there keeps the launcher from starting, by name', () =>
  withBox(async (box) => {
    const launcher = box.launch(['true'], { launch: { ...UNHEARD, seccompProgramPath: join(box.folder, 'none') } })
    const error = await launcher.ready.catch((thrown: EngineError) => thrown)
    assert.equal([(error as EngineError).code, (error as EngineError).data.errno], ['RUNTIME_UNAVAILABLE', 'ENOENT'])
  }),
)

native('in another working directory another spawner starts what comes', () =>
  withBox(async (box) => {
    const before = await waiting(box, ['sleep', '1000'])
    const directory = process.cwd()
    mkdirSync(join(box.folder, 'elsewhere'))
    process.chdir(join(box.folder, 'elsewhere'))
    try {
      const after = await waiting(box, ['sleep', '1000'])
      assert.is.not(parentOf(after.pid), parentOf(before.pid))
      assert.is(readlinkSync(`/proc/${parentOf(after.pid)}/cwd`), process.cwd())
      await end(after)
    } finally {
      process.chdir(directory)
    }
    await end(before)
  }),
)

native('a spawner that is killed takes no container along, and the next start has another', () =>
  withBox(async (box) => {
    const launcher = await waiting(box, ['sh', '-c', 'sleep 0.3; exit 7'])
    const killed = parentOf(launcher.pid)
    process.kill(killed, 'SIGKILL')
    await eventually('it is gone', () => !spawnersOf(process.pid).includes(killed))
    await launcher.go()
    assert.is((await launcher.exited).code, 7)
    const next = await waiting(box, ['sleep', '1000'])
    assert.is(nameOf(parentOf(next.pid)), NAME)
    await end(next)
  }),
)

/** Has two containers run, of which the second is the spawner's, and then waits to be killed. */
const PARENT = `
  import { withBox } from ${JSON.stringify(fileURLToPath(new URL('../support/launcher-box.js', import.meta.url)))}
  const marker = process.argv[1]
  await withBox(async (box) => {
    for (let count = 0; count < 2; count++) {
      const launcher = box.launch(['sh', '-c', 'sleep 1000; : ' + marker], { launch: { stdio: ['ignore', 'pipe', 'pipe'] } })
      await launcher.ready
      await launcher.go()
    }
    process.stdout.write('running')
    if (process.argv[2] === 'end') process.exit(0)
    await new Promise((resolve) => setTimeout(resolve, 100000))
  })
`

for (const way of ['is killed', 'ends by itself'] as const) {
  native(`the spawner ends with its process, which ${way}, and so do the containers`, async () => {
    const marker = `wolffia-spawner-${process.pid}-${way.length}`
    const words = ['--input-type=module', '-e', PARENT, marker, ...(way === 'is killed' ? ['stay'] : ['end'])]
    const parent: ChildProcess = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] })
    const ended = new Promise((resolve) => parent.on('exit', resolve))
    let spawners: number[] = []
    await new Promise((resolve) =>
      parent.stdout?.once('data', () => {
        spawners = spawnersOf(parent.pid ?? 0)
        resolve(null)
      }),
    )
    if (way === 'is killed') {
      assert.is(spawners.length, 1)
      parent.kill('SIGKILL')
    }
    await ended
    await eventually('nothing is left', () => processesWith(marker).length === 0 && !spawners.some((pid) => existsSync(`/proc/${pid}`)))
  })
}

native('attack: words that are no request end the spawner, and a number below its sockets is given to nobody', async () => {
  const ask = async (request: string) => {
    const nowhere = Array<'ignore'>(12).fill('ignore')
    const child = spawn(assetPath('launcher'), ['--spawn'], { stdio: ['ignore', 'ignore', 'ignore', 'pipe', ...nowhere, 'pipe'], env: {} })
    const code = new Promise((resolve) => child.on('exit', resolve))
    const channel = child.stdio[3] as NonNullable<LauncherProcess['streams'][number]>
    channel.on('error', () => {})
    channel.write(request.replaceAll(' ', '\0'))
    const said = new Promise<string>((resolve) => channel.once('data', (bytes) => resolve(String(bytes))))
    const first = await Promise.race([said, code])
    channel.end()
    return [first, await code]
  }
  assert.equal(await ask('start x /bin/true  0 '), [125, 125])
  assert.equal(await ask('start 1 /bin/true  17 '), [125, 125])
  assert.equal(await ask('start '.padEnd(9000, 'x')), [125, 125])
  for (const number of ['0', '3', '15', '-1', '99999'])
    assert.match(String((await ask(`start 1 /bin/true  5    ${number} ${number} `))[0]), /"refused","start":1,"errno":9\}/)
  assert.match(String((await ask('start 1 /nowhere  5     16 '))[0]), /"refused","start":1,"errno":2\}/)
  // One that has nobody to say its pid to is not started.
  assert.match(String((await ask('start 1 /bin/true  0 '))[0]), /"refused","start":1,"errno":9\}/)
})

test.run()
