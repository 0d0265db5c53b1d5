/**
 * What any wall must do. `runtimeContract` registers these tests for one wall; `runtime.native.test.ts` and `runtime.wasm.test.ts` call it.
 */
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import { EngineError } from '../../src/errors.js'
import type { CreateRequest, ExecRequest, Runtime, Supervision, Task } from '../../src/runtime/runtime.js'
import type { ContainerSpec, ProcessSpec, Rootfs } from '../../src/runtime/spec.js'
import type { SpecChange } from '../support/specs.js'
import { containerSpec } from '../support/specs.js'
import type { RegisterTest } from '../support/suite.js'

/** One thing a guest does; steps are done in order. */
export type GuestStep =
  | readonly ['exit', number]
  | readonly ['print', string]
  | readonly ['print-error', string]
  /** Prints the environment, a line each; alone in its list. */
  | readonly ['env']
  /** Copies stdin to stdout until its end. */
  | readonly ['echo']
  | readonly ['loop']
  /** Writes so many bytes to stdout; 0: without end. */
  | readonly ['output', number]
  | readonly ['write', path: string, content: string]
  | readonly ['cat', path: string]
  /** Prints what looks like a receipt and replaces what it can of /proc. */
  | readonly ['lie']

/** A wall with a root that holds its guest program. */
export interface WallUnderTest {
  readonly runtime: Runtime
  /** Another object for the same wall and store, as another process would have. */
  readonly other: Runtime
  readonly rootfs: Rootfs
  /** The command line that makes the guest do these steps. */
  args(steps: readonly GuestStep[]): readonly string[]
  /** Whether a guest may outlive the process that made it. */
  readonly canOutlive: boolean
  /** Path in the root of a file that is there and cannot be executed. */
  readonly notExecutable: string
}

/** Opens a wall for one test and closes it whatever happens. */
export type WithWall = (body: (wall: WallUnderTest) => Promise<void>) => Promise<void>

interface Bench {
  readonly wall: WallUnderTest
  /** Creates a container in a folder of its own; deleted at the end of the test if it is not before. */
  create(steps: readonly GuestStep[], change?: SpecChange, request?: Partial<CreateRequest>): Promise<Created>
  /** Makes one more program ready in a container, as another process would; deleted at the end of the test if it is not before. */
  exec(container: Created, steps: readonly GuestStep[], process?: Partial<ProcessSpec>, request?: Partial<ExecRequest>): Promise<Execed>
}

type Execed = Pick<Created, 'task' | 'stdout' | 'stderr'>

interface Created {
  readonly task: Task
  readonly id: string
  readonly directory: string
  readonly spec: ContainerSpec
  readonly stdout: Promise<string>
  readonly stderr: Promise<string>
}

const newId = () => randomBytes(32).toString('hex')

/** Registers the tests of every wall. */
export function runtimeContract(test: RegisterTest, withWall: WithWall): void {
  const withBench = (body: (bench: Bench) => Promise<void>) => () => withWall((wall) => runOn(wall, body))

  /** Where nothing but the process that made it could hold a guest, it is refused by name. */
  const withOutliving = (body: (bench: Bench) => Promise<void>) =>
    withBench(async (bench) => {
      if (bench.wall.canOutlive) return body(bench)
      const error = await rejects(bench.create([['loop']], { ephemeral: false }, { supervision: supervision('journal') }))
      assert.ok(error instanceof EngineError && error.code === 'UNSUPPORTED_BY_HOST', String(error))
    })

  test(
    'a guest ends with the exit code it gives, and that is no error',
    withBench(async ({ create }) => {
      for (const code of [0, 7, 255]) {
        const { task } = await create([['exit', code]])
        await task.start()
        const { exitCode, reason, signal, durationMs } = await task.wait()
        assert.equal({ exitCode, reason, signal }, { exitCode: code, reason: 'exited', signal: undefined })
        assert.ok(durationMs > 0 && durationMs < 60_000)
      }
    }),
  )

  test(
    'stdout and stderr are streams of their own and hold every byte',
    withBench(async ({ create }) => {
      const { task, stdout, stderr } = await create([
        ['print', 'to stdout'],
        ['print-error', 'to stderr'],
        ['exit', 3],
      ])
      await task.start()
      assert.is((await task.wait()).exitCode, 3)
      assert.is(await stdout, 'to stdout\n')
      assert.is(await stderr, 'to stderr\n')
    }),
  )

  test(
    'ten megabytes go in and come out as they were',
    withBench(async ({ create }) => {
      const { task, digest } = await createEcho(create)
      const bytes = randomBytes(10 * 1024 * 1024)
      await task.start()
      task.stdin?.end(bytes)
      assert.is(await digest, createHash('sha256').update(bytes).digest('hex'))
      assert.is((await task.wait()).exitCode, 0)
    }),
  )

  test(
    'a guest without stdin reads end-of-file',
    withBench(async ({ create }) => {
      const { task, stdout } = await create([['echo'], ['print', 'end']], {}, { openStdin: false })
      assert.is(task.stdin, null)
      await task.start()
      assert.is((await task.wait()).exitCode, 0)
      assert.is(await stdout, 'end\n')
    }),
  )

  test(
    "a layer's files that are deleted under a running guest stay there for it",
    withBench(async ({ wall, create }) => {
      const { task, stdout } = await create([['print', 'runs'], ['echo'], ['cat', wall.notExecutable]])
      await task.start()
      for (const { tarPath, indexPath } of wall.rootfs.layers) for (const path of [tarPath, indexPath]) rmSync(path)
      task.stdin?.end('deleted\n')
      assert.is((await task.wait()).exitCode, 0)
      assert.match(await stdout, /^runs\ndeleted\n(plain|text)/)
    }),
  )

  test(
    'the environment is what was given, in its order, and nothing else',
    withBench(async ({ create }) => {
      const env = ['PATH=/bin', 'ZED=1', 'EMPTY=', 'LINE=a=b', 'ÜBER=ä']
      const { task, stdout } = await create([['env']], { process: { env } })
      await task.start()
      await task.wait()
      assert.equal((await stdout).trimEnd().split('\n'), env)
    }),
  )

  test(
    'the working directory is made when it is missing and is where relative paths begin',
    withBench(async ({ create }) => {
      const { task, stdout } = await create(
        [
          ['write', 'here', 'found'],
          ['cat', '/some/where/here'],
        ],
        { process: { cwd: '/some/where' } },
      )
      await task.start()
      await task.wait()
      assert.match(await stdout, /^found/)
    }),
  )

  test(
    'a looping guest is ended by SIGKILL',
    withBench(async ({ create }) => {
      const { task } = await create([['loop']])
      await task.start()
      await task.kill('SIGKILL')
      const { exitCode, signal, reason } = await task.wait()
      assert.equal({ exitCode, signal, reason }, { exitCode: 137, signal: 'SIGKILL', reason: 'signaled' })
      await task.kill('SIGKILL')
    }),
  )

  test(
    'a guest that a signal ends before its start has been started, and says how it ended',
    withBench(async ({ create, exec }) => {
      const container = await create([['loop']])
      await container.task.start()
      const tasks = [(await create([['loop']])).task, (await exec(container, [['loop']])).task]
      for (const task of tasks) {
        await task.kill('SIGTERM')
        await task.start()
        const { exitCode, signal, reason } = await task.wait()
        assert.equal({ exitCode, signal, reason }, { exitCode: 143, signal: 'SIGTERM', reason: 'signaled' })
      }
    }),
  )

  test(
    'a guest over its time limit ends with reason "timeout"',
    withBench(async ({ create }) => {
      const { task } = await create([['loop']], { limits: { timeoutMs: 300 } })
      await task.start()
      const { exitCode, reason, detail, durationMs } = await task.wait()
      assert.is(reason, 'timeout')
      assert.is(exitCode, 137)
      assert.match(detail ?? '', '300')
      assert.ok(durationMs >= 300, `${durationMs} ms`)
    }),
  )

  test(
    'a guest over its output limit ends with reason "limit" and no more comes out',
    withBench(async ({ create }) => {
      const { task, stdout } = await create([['output', 0]], { limits: { outputBytes: 100_000 } })
      await task.start()
      const { reason, exitCode } = await task.wait()
      assert.is(reason, 'limit')
      assert.is(exitCode, 137)
      assert.ok((await stdout).length <= 100_000)
    }),
  )

  test(
    'exactly the output limit is within it',
    withBench(async ({ create }) => {
      const { task, stdout } = await create([['output', 100_000]], { limits: { outputBytes: 100_000 } })
      await task.start()
      assert.is((await task.wait()).reason, 'exited')
      assert.is((await stdout).length, 100_000)
    }),
  )

  test(
    'the receipt is there before the first instruction and a guest that lies changes nothing of it',
    withBench(async ({ create, wall }) => {
      const { task } = await create([['lie'], ['exit', 0]], { limits: { outputBytes: 1_000_000 } })
      const before = await task.receipt()
      assert.is(before.wall, wall.runtime.name)
      assert.equal(
        Object.entries(before.crossCheck).filter(([, agrees]) => !agrees),
        [],
      )
      const copy = structuredClone(before)
      await task.start()
      assert.is((await task.wait()).reason, 'exited')
      assert.equal(await task.receipt(), copy)
      assert.is(
        copy.limits.some((limit) => limit.name === 'output' && limit.value <= 1_000_000),
        true,
      )
    }),
  )

  test(
    'a running guest is found again by whoever has its folder, and not once it is gone',
    withBench(async ({ create, wall }) => {
      const { task, id, directory } = await create([['loop']])
      await task.start()
      const found = await wall.other.open(id, directory)
      assert.is(found?.pid, task.pid)
      await found?.kill('SIGKILL')
      assert.is((await task.wait()).exitCode, 137)
      await eventually(async () => (await wall.other.open(id, directory)) === null)
      await found?.kill('SIGKILL')
    }),
  )

  test(
    'a command that does not exist is COMMAND_NOT_FOUND, one that cannot be executed COMMAND_NOT_EXECUTABLE',
    withBench(async ({ create, wall }) => {
      const codeFor = async (command: string) => {
        try {
          const { task } = await create([], { process: { args: [command] } })
          await task.start()
        } catch (error) {
          return error instanceof EngineError ? error.code : String(error)
        }
        return 'started'
      }
      assert.is(await codeFor('/bin/nothing-of-that-name'), 'COMMAND_NOT_FOUND')
      assert.is(await codeFor(wall.notExecutable), 'COMMAND_NOT_EXECUTABLE')
    }),
  )

  test(
    'delete ends what still runs, leaves no process, mount or file, and may be repeated',
    withBench(async ({ create, wall }) => {
      const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
      const { task, id, directory } = await create([['write', '/left-behind', 'x'], ['loop']])
      await task.start()
      await Promise.all([task.delete(), task.delete()])
      await task.delete()
      await eventually(async () => !existsSync(`/proc/${task.pid}`))
      await wall.runtime.discard(id, directory)
      await wall.runtime.discard(id, directory)
      assert.equal(readdirSync(directory), [])
      assert.is(readFileSync('/proc/self/mountinfo', 'utf8'), mounts)
    }),
  )

  test(
    'delete before start leaves nothing either',
    withBench(async ({ create, wall }) => {
      const { task, id, directory } = await create([['exit', 0]])
      await task.delete()
      await eventually(async () => !existsSync(`/proc/${task.pid}`))
      await wall.runtime.discard(id, directory)
      assert.equal(readdirSync(directory), [])
    }),
  )

  test(
    'an abort ends the guest wherever it is',
    withBench(async ({ create }) => {
      const aborted = new AbortController()
      aborted.abort()
      await rejects(create([['loop']], {}, { signal: aborted.signal }))
      const later = new AbortController()
      const { task } = await create([['loop']], {}, { signal: later.signal })
      await task.start()
      later.abort()
      await task.wait().catch(() => {})
      await eventually(async () => !existsSync(`/proc/${task.pid}`))
    }),
  )

  test(
    'what a kept container writes is there at its next start',
    withBench(async ({ create, wall }) => {
      const first = await create([['write', '/note', 'kept']], { ephemeral: false })
      await first.task.start()
      assert.is((await first.task.wait()).exitCode, 0)
      await first.task.delete()
      const second = await create([['cat', '/note']], { ephemeral: false }, { id: first.id, directory: first.directory })
      await second.task.start()
      await second.task.wait()
      assert.match(await second.stdout, /^kept/)
      await second.task.delete()
      await wall.runtime.discard(first.id, first.directory)
      assert.equal(readdirSync(first.directory), [])
    }),
  )

  test(
    'a guest that outlives its maker is found, heard, stopped and let go on by another, and its end is written down',
    withOutliving(async ({ wall, create }) => {
      const { task, id, directory } = await create(
        [['print', 'begun'], ['loop']],
        { ephemeral: false },
        { supervision: supervision('journal') },
      )
      const attachment = await task.attach()
      let heard = ''
      attachment.stdout.on('data', (chunk) => {
        heard += chunk
      })
      attachment.stderr?.resume()
      await task.start()
      await task.outlive()
      await eventually(async () => heard === 'begun\n')
      const found = await wall.other.open(id, directory)
      assert.is(found?.pid, task.pid)
      await found?.pause()
      await eventually(async () => /^State:\tT/m.test(readFileSync(`/proc/${task.pid}/status`, 'utf8')))
      await found?.resume()
      await eventually(async () => /^State:\t[RS]/m.test(readFileSync(`/proc/${task.pid}/status`, 'utf8')))
      await found?.kill('SIGTERM')
      await found?.gone()
      assert.is(await wall.other.open(id, directory), null)
      const end = await wall.other.lastEnd(directory, containerSpec())
      assert.equal({ ...end?.exit, durationMs: 0 }, { exitCode: 143, signal: 'SIGTERM', reason: 'signaled', durationMs: 0 })
      assert.ok(Math.abs((end?.finishedAt.getTime() ?? 0) - Date.now()) < 60_000)
      assert.match(readFileSync(join(directory, 'journal'), 'utf8'), /^somebody \{"event":"exited",/)
    }),
  )

  test(
    'a guest that outlives its maker keeps its files and its exit code for those who come later',
    withOutliving(async ({ wall, create }) => {
      const first = await create(
        [
          ['write', '/note', 'kept'],
          ['exit', 5],
        ],
        { ephemeral: false },
        { supervision: supervision('journal') },
      )
      await first.task.start()
      await first.task.outlive()
      await eventually(async () => (await wall.other.lastEnd(first.directory, containerSpec())) !== null)
      assert.is((await wall.other.lastEnd(first.directory, containerSpec()))?.exit.exitCode, 5)
      const { id, directory } = first
      const second = await create([['cat', '/note']], { ephemeral: false }, { id, directory })
      await second.task.start()
      assert.is((await second.task.wait()).exitCode, 0)
      assert.match(await second.stdout, /^kept\n?$/)
    }),
  )

  test(
    'a guest that outlives its maker is held to its time and logged to the last byte',
    withOutliving(async ({ wall, create }) => {
      const log = join(mkdtempSync(join(tmpdir(), 'wolffia-log-')), 'log')
      const change = { limits: { timeoutMs: 2000 }, ephemeral: false }
      const { task, directory } = await create([['print', 'said'], ['loop']], change, { supervision: supervision('journal', log) })
      await task.start()
      await task.outlive()
      await eventually(async () => (await wall.other.lastEnd(directory, containerSpec(change))) !== null)
      assert.is((await wall.other.lastEnd(directory, containerSpec(change)))?.exit.reason, 'timeout')
      const { stream, log: line } = JSON.parse(readFileSync(log, 'utf8'))
      assert.equal([stream, line], ['stdout', 'said\n'])
      rmSync(dirname(log), { recursive: true })
    }),
  )

  test(
    'one that is let go while it runs goes on, with its time still counted',
    withOutliving(async ({ wall, create }) => {
      const change = { limits: { timeoutMs: 3000 }, ephemeral: false }
      const { task, id, directory } = await create([['loop']], change, { supervision: { ...supervision('journal'), outlives: false } })
      await task.start()
      await sleep(50)
      await task.outlive()
      assert.is((await wall.other.open(id, directory))?.pid, task.pid)
      await eventually(async () => (await wall.other.lastEnd(directory, containerSpec(change))) !== null)
      assert.is((await wall.other.lastEnd(directory, containerSpec(change)))?.exit.reason, 'timeout')
    }),
  )

  test(
    'one more program has its own arguments, variables, streams and exit code, and the same files',
    withBench(async ({ create, exec }) => {
      const container = await create([['write', '/note', 'from the container'], ['echo']])
      await container.task.start()
      await eventually(async () => (await said(exec(container, [['cat', '/note']]))) === 'from the container')
      const { task, stdout, stderr } = await exec(container, [
        ['print', 'to stdout'],
        ['print-error', 'to stderr'],
        ['write', '/other', 'from the exec'],
        ['exit', 6],
      ])
      await task.start()
      const { exitCode, reason, durationMs } = await task.wait()
      assert.equal({ exitCode, reason }, { exitCode: 6, reason: 'exited' })
      assert.ok(durationMs > 0 && durationMs < 60_000)
      assert.equal([await stdout, await stderr], ['to stdout\n', 'to stderr\n'])
      assert.is(await said(exec(container, [['cat', '/other']])), 'from the exec')
      const env = ['PATH=/bin', 'OWN=exec', 'EMPTY=']
      assert.is(await said(exec(container, [['env']], { env })), `${env.join('\n')}`)
      container.task.stdin?.end()
      assert.is((await container.task.wait()).exitCode, 0)
    }),
  )

  test(
    'three megabytes go into one more program and come out as they were, and without stdin it reads end-of-file',
    withBench(async ({ create, exec }) => {
      const container = await create([['echo']])
      await container.task.start()
      const { task, stdout } = await exec(container, [['echo'], ['print', 'end']])
      await task.start()
      const bytes = randomBytes(1_500_000).toString('hex')
      task.stdin?.end(bytes)
      assert.is((await task.wait()).exitCode, 0)
      assert.ok((await stdout) === `${bytes}end\n`)
      assert.is(await said(exec(container, [['echo'], ['print', 'end']], {}, { openStdin: false })), 'end')
    }),
  )

  test(
    'one more program is ended by a signal, and by the process that asked for it, and its container goes on',
    withBench(async ({ create, exec }) => {
      const container = await create([['echo']])
      await container.task.start()
      for (const [signal, code] of [
        ['SIGKILL', 137],
        ['SIGTERM', 143],
      ] as const) {
        const { task } = await exec(container, [['loop']])
        await task.start()
        await task.kill(signal)
        const { exitCode, reason } = await task.wait()
        assert.equal({ exitCode, reason, signal: (await task.wait()).signal }, { exitCode: code, reason: 'signaled', signal })
        await task.kill(signal)
      }
      const { task } = await exec(container, [['loop']])
      await task.start()
      await Promise.all([task.delete(), task.delete()])
      assert.is(await said(exec(container, [['print', 'still there']])), 'still there')
    }),
  )

  test(
    'one more program ends with its container',
    withBench(async ({ create, exec }) => {
      const container = await create([['echo'], ['exit', 3]])
      await container.task.start()
      const { task } = await exec(container, [['loop']])
      await task.start()
      container.task.stdin?.end()
      assert.is((await container.task.wait()).exitCode, 3)
      const { exitCode, signal, reason } = await task.wait()
      assert.equal({ exitCode, signal, reason }, { exitCode: 137, signal: 'SIGKILL', reason: 'signaled' })
      const error = await rejects(exec(container, [['print', 'x']]))
      assert.is((error as EngineError).code, 'CONFLICT')
    }),
  )

  test(
    'one more program that is left goes on without whoever asked for it',
    withBench(async ({ create, exec }) => {
      const container = await create([['echo']])
      await container.task.start()
      const { task } = await exec(container, [['write', '/left', 'written'], ['loop']], {}, { openStdin: false, outlives: true })
      await task.start()
      await task.outlive()
      await eventually(async () => (await said(exec(container, [['cat', '/left']]))) === 'written')
    }),
  )

  test(
    'one more program that does not exist is COMMAND_NOT_FOUND, one that cannot be executed COMMAND_NOT_EXECUTABLE',
    withBench(async ({ wall, create, exec }) => {
      const container = await create([['echo']])
      await container.task.start()
      const codeFor = async (process: Partial<ProcessSpec>) => {
        const error = await rejects(exec(container, [['print', 'x']], process).then(({ task }) => task.start()))
        return (error as EngineError).code
      }
      assert.is(await codeFor({ args: ['/bin/nothing-of-that-name'] }), 'COMMAND_NOT_FOUND')
      assert.is(await codeFor({ args: ['nothing-of-that-name'] }), 'COMMAND_NOT_FOUND')
      assert.is(await codeFor({ args: [wall.notExecutable] }), 'COMMAND_NOT_EXECUTABLE')
      await rejects(exec(container, [['print', 'x']], { cwd: '/nowhere' }))
    }),
  )

  test(
    'the receipt of one more program says of the walls what its container’s does',
    withBench(async ({ wall, create, exec }) => {
      const container = await create([['echo']], { limits: { outputBytes: 1_000_000, openFiles: 100 } })
      await container.task.start()
      const first = await container.task.receipt()
      const receipt = await (await exec(container, [['lie']])).task.receipt()
      assert.equal([receipt.wall, receipt.doubleWall], [wall.runtime.name, first.doubleWall])
      assert.equal(receipt.kernel?.namespaces.pid, first.kernel?.namespaces.pid)
      assert.equal(receipt.kernel?.seccomp, first.kernel?.seccomp)
      assert.equal(
        Object.entries(receipt.crossCheck).filter(([, agrees]) => !agrees),
        [],
      )
      const names = receipt.limits.map(({ name }) => name)
      assert.ok(names.includes('openFiles') && !names.includes('output') && !names.includes('time'))
    }),
  )

  test(
    'a limit that is no positive number is refused before anything is made',
    withBench(async ({ create }) => {
      for (const limits of [{ pids: 0 }, { outputBytes: -1 }, { timeoutMs: Number.NaN }]) {
        const error = await rejects(create([['exit', 0]], { limits }))
        assert.is((error as EngineError).code, 'INVALID_ARGUMENT')
      }
    }),
  )
}

/** That a guest is held by its launcher alone; its journal lies in the container's folder. */
function supervision(journal: string, log: string | null = null): Supervision {
  return {
    outlives: true,
    log: log === null ? null : { path: log, maximumBytes: null, files: 1 },
    journal: { path: journal, word: 'somebody' },
    endCommand: [],
    beat: null,
    environment: [],
  }
}

async function runOn(wall: WallUnderTest, body: (bench: Bench) => Promise<void>): Promise<void> {
  const scratch = mkdtempSync(join(tmpdir(), 'wolffia-contract-'))
  const made: { readonly task: Task; readonly id: string; readonly directory: string }[] = []
  const joined: Task[] = []
  const create: Bench['create'] = async (steps, change = {}, request = {}) => {
    const id = request.id ?? newId()
    const directory = request.directory ?? mkdtempSync(join(scratch, 'container-'))
    const spec = containerSpec({ ...change, process: { args: wall.args(steps), ...change.process } })
    const { supervision: given } = request
    const held =
      given === undefined ? {} : { supervision: { ...given, journal: { ...given.journal, path: join(directory, given.journal.path) } } }
    const task = await wall.runtime.create({ openStdin: true, ...request, ...held, id, directory, spec, rootfs: wall.rootfs })
    made.push({ task, id, directory })
    // Read from the beginning: a guest may wait for room in its pipe.
    return { task, id, directory, spec, ...outputsOf(task) }
  }
  const exec: Bench['exec'] = async ({ id, directory, spec }, steps, change = {}, request = {}) => {
    const process = { ...spec.process, args: wall.args(steps), ...change }
    const rest = { openStdin: true, outlives: false, endRecord: null, ...request }
    const task = await wall.other.exec({ id, directory, spec, process, ...rest })
    if (!rest.outlives) joined.push(task)
    return { task, ...outputsOf(task) }
  }
  try {
    await body({ wall, create, exec })
  } finally {
    for (const task of joined) await task.delete()
    for (const { task, id, directory } of made) {
      await task.delete()
      await wall.runtime.discard(id, directory)
    }
    rmSync(scratch, { recursive: true, force: true })
  }
}

/** An echoing guest whose output is hashed instead of kept as text. */
async function createEcho(create: Bench['create']): Promise<{ task: Task; digest: Promise<string> }> {
  const hash = createHash('sha256')
  const { task } = await create([['echo']])
  task.stdout.on('data', (chunk: Buffer) => hash.update(chunk))
  const digest = new Promise<string>((resolve) => task.stdout.on('end', () => resolve(hash.digest('hex'))))
  return { task, digest }
}

function outputsOf({ stdout, stderr }: Task): Pick<Created, 'stdout' | 'stderr'> {
  return { stdout: readAll(stdout), stderr: stderr === null ? Promise.resolve('') : readAll(stderr) }
}

/** What a program writes, without the last end of line, once it has ended well. */
async function said(made: Promise<Execed>): Promise<string> {
  const { task, stdout } = await made
  await task.start()
  assert.is((await task.wait()).exitCode, 0)
  return (await stdout).replace(/\n$/, '')
}

function readAll(stream: Readable): Promise<string> {
  // An aborted or deleted guest's stream may be cut off: what came is what counts.
  return text(stream).catch(() => '')
}

async function rejects(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => assert.unreachable('it was not refused'),
    (error: unknown) => error,
  )
}

/** Waits for what the kernel does soon, but not at once. */
async function eventually(holds: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 2000; attempt++) {
    if (await holds()) return
    await sleep(10)
  }
  assert.unreachable('it did not come about within twenty seconds')
}
