/** Sandboxes that wait for containers: whose they are, what they become, and that nothing of them is left. */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import * as assert from 'uvu/assert'
import { Engine } from '../../src/engine/engine.js'
import type { PrewarmOptions } from '../../src/engine/prewarmed.js'
import type { EngineError } from '../../src/errors.js'
import { assetPath } from '../../src/launcher/installation.js'
import { groupWith } from '../../src/runtime/control-groups.js'
import { componentOf } from '../support/components.js'
import { withFolder } from '../support/image-fixtures.js'
import { eventually } from '../support/launcher-box.js'
import { CGROUP_CPU, NATIVE, WASM } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('wasm/prewarmed')
const walled = test.needs(WASM, NATIVE)

type Options = Partial<Parameters<Engine['containers']['create']>[0]>

interface Bench {
  readonly engine: Engine
  readonly home: string
  prewarm(options?: Partial<PrewarmOptions>): ReturnType<Engine['containers']['prewarm']>
  /** Runs the probe with these words; says which process that was in. */
  run(words: readonly string[], options?: Options): Promise<{ readonly pid: number; readonly out: string; readonly exitCode: number }>
}

function withBench(body: (bench: Bench) => Promise<void>): () => Promise<void> {
  return () =>
    withFolder(async (folder) => {
      const home = join(folder, 'home')
      await using engine = await Engine.open({ home })
      await engine.images.import(assetPath('wasm/probe.wasm'), { reference: 'probe' })
      const run: Bench['run'] = async (words, options = {}) => {
        const container = await engine.containers.create({ image: 'probe', command: words, autoRemove: true, runtime: 'wasm', ...options })
        const out = text(container.stdout)
        container.stderr?.resume()
        await container.start()
        const pid = container.summary().pid ?? 0
        const { exitCode } = await container.wait()
        return { pid, out: await out, exitCode }
      }
      const prewarm: Bench['prewarm'] = (options = {}) => engine.containers.prewarm({ image: 'probe', autoRemove: true, ...options })
      await body({ engine, home, run, prewarm })
    })
}

/** Processes below this one, and the pids of those that run Node. */
function below(pid: number): number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number)
    return children.flatMap((child) => [child, ...below(child)])
  } catch {
    return []
  }
}

function sandboxes(): number[] {
  return below(process.pid).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('/sandbox/main.cjs')
    } catch {
      return false
    }
  })
}

/** Of a folder and all below it. */
const names = (folder: string) => readdirSync(folder, { recursive: true }).map(String).sort()

walled(
  'as many wait as were asked for: each is one container’s, the next starts cold, and others come in their place',
  withBench(async ({ prewarm, run }) => {
    await using kept = await prewarm({ count: 2 })
    assert.is(kept.ready, 2)
    const waiting = sandboxes()
    assert.is(waiting.length, 2)
    const runs = [await run([',', 'print', 'a']), await run([',', 'print', 'b'])]
    assert.equal(
      runs.map(({ out }) => out),
      ['a\n', 'b\n'],
    )
    assert.equal(runs.map(({ pid }) => pid).sort(), [...waiting].sort())
    await kept.full()
    assert.is(kept.ready, 2)
    assert.ok(
      sandboxes().every((pid) => !waiting.includes(pid)),
      'none is used twice',
    )
  }),
)

walled(
  'a component waits with what it was transpiled to before, and becomes its container',
  withBench(async ({ engine, home, prewarm, run }) => {
    const path = join(home, 'demo')
    writeFileSync(path, await componentOf(readFileSync(assetPath('wasm/probe.wasm'))))
    await engine.images.import(path, { reference: 'component' })
    await using _kept = await prewarm({ image: 'component' })
    const [waiting] = sandboxes()
    const { pid, out } = await run([',', 'print', 'a'], { image: 'component' })
    assert.equal([pid, out], [waiting, 'a\n'])
  }),
)

walled(
  'a container that asks for something else starts cold, and what waits goes on waiting',
  withBench(async ({ prewarm, run, home }) => {
    mkdirSync(join(home, 'bound'))
    await using kept = await prewarm()
    const [waiting] = sandboxes()
    const others: readonly Options[] = [
      { limits: { memoryBytes: 32 << 20 } },
      { limits: { outputBytes: 1000 } },
      { limits: { fuel: 1_000_000_000 } },
      { mounts: [{ type: 'bind', source: join(home, 'bound'), destination: '/bound', readonly: true }] },
      { readonlyRootfs: true },
      { hostname: 'other' },
      { workingDir: '/tmp' },
      { user: '5' },
      { deterministic: { seed: 'x' } },
      { autoRemove: false },
    ]
    for (const options of others) {
      const { pid, exitCode } = await run([',', 'exit', '7'], options)
      assert.is(exitCode, 7, JSON.stringify(options))
      assert.is.not(pid, waiting, JSON.stringify(options))
    }
    assert.is(kept.ready, 1)
    assert.is((await run([',', 'exit', '3'])).pid, waiting)
  }),
)

test.needs(
  WASM,
  NATIVE,
  CGROUP_CPU,
)(
  'one that waits is in groups of its own, is only theirs who ask for the same, and leaves none',
  withBench(async ({ prewarm, run }) => {
    const limits = { cpus: 0.5 }
    const groupOf = (pid: number) => groupWith('cpu', pid)?.folder ?? ''
    await using kept = await prewarm({ limits })
    const [waiting = 0] = sandboxes()
    const group = groupOf(waiting)
    assert.is.not(group, groupOf(process.pid))
    for (const other of [{ limits: { cpus: 0.25 } }, { limits: {} }, { limits, resources: { cpuShares: 100 } }])
      assert.is.not((await run([',', 'exit', '0'], other)).pid, waiting, JSON.stringify(other))
    assert.is((await run([',', 'exit', '4'], { limits })).pid, waiting)
    await eventually('its groups are gone with it', () => !existsSync(group))
    await kept.full()
    const [next = 0] = sandboxes()
    const nextGroup = groupOf(next)
    assert.is.not(nextGroup, group)
    process.kill(next, 'SIGKILL')
    await eventually('those of one that has died are gone too', () => !existsSync(nextGroup))
    await kept.full()
    const [last = 0] = sandboxes()
    const lastGroup = groupOf(last)
    await kept.close()
    await eventually('and those of one that was closed', () => !existsSync(lastGroup))
  }),
)

walled(
  'attack: the words of one container, or those that were named at prewarming, are in no other',
  withBench(async ({ prewarm, run }) => {
    await using kept = await prewarm({ count: 2, command: ['secret-of-prewarming'] })
    const waiting = sandboxes()
    const first = await run([',', 'env'], { env: { SECRET: 'of-the-first' } })
    const second = await run([',', 'env'], { env: { OWN: 'word' } })
    assert.ok(waiting.includes(first.pid) && waiting.includes(second.pid))
    assert.ok(first.out.includes('SECRET=of-the-first'))
    assert.equal(
      second.out
        .trim()
        .split('\n')
        .filter((line) => /SECRET|secret/.test(line)),
      [],
    )
    assert.ok(second.out.includes('OWN=word'))
    await kept.full()
  }),
)

walled(
  'the receipt of a prewarmed container is checked in all that a cold one’s is, and names the container',
  withBench(async ({ engine, prewarm }) => {
    const receiptOf = async () => {
      await using container = await engine.containers.create({
        image: 'probe',
        command: [',', 'env'],
        env: { A: 'b' },
        autoRemove: true,
        runtime: 'wasm',
      })
      await container.start()
      return { receipt: await container.receipt(), id: container.id, pid: container.summary().pid }
    }
    const cold = await receiptOf()
    await using _kept = await prewarm()
    const [waiting] = sandboxes()
    const warm = await receiptOf()
    assert.is(warm.pid, waiting)
    assert.is(warm.receipt.container, warm.id)
    assert.is(warm.receipt.kernel?.hostname, warm.id.slice(0, 12))
    assert.ok(warm.receipt.doubleWall)
    assert.equal(Object.keys(warm.receipt.crossCheck).sort(), Object.keys(cold.receipt.crossCheck).sort())
    assert.ok(Object.values(warm.receipt.crossCheck).every(Boolean))
    assert.equal(warm.receipt.wasm, cold.receipt.wasm)
    assert.equal(warm.receipt.limits, cold.receipt.limits)
  }),
)

walled(
  'one that has died is not used: the container starts cold, and another waits soon',
  withBench(async ({ prewarm, run }) => {
    await using kept = await prewarm()
    const [waiting = 0] = sandboxes()
    process.kill(waiting, 'SIGKILL')
    const { pid, out } = await run([',', 'print', 'alive'])
    assert.is(out, 'alive\n')
    assert.is.not(pid, waiting)
    await eventually('another waits', () => kept.ready === 1 && !sandboxes().includes(waiting))
    assert.equal((await run([',', 'print', 'again'])).out, 'again\n')
  }),
)

walled(
  'nothing of one that waits is on disk or listed; closed, no process is left',
  withBench(async ({ engine, home, prewarm }) => {
    mkdirSync(join(home, 'containers', 'names'), { recursive: true })
    await (await prewarm({ autoRemove: false })).close()
    const before = names(home)
    const kept = await prewarm({ autoRemove: false, count: 2 })
    assert.equal(names(home), before)
    assert.equal(await engine.containers.list({ all: true }), [])
    await kept.close()
    assert.is(kept.ready, 0)
    assert.equal(sandboxes(), [])
    assert.equal(names(home), before)
  }),
)

walled('attack: the host is killed; what waited ends by itself and leaves nothing', () =>
  withFolder(async (folder) => {
    const home = join(folder, 'home')
    const script = join(folder, 'host.mjs')
    const say = (value: unknown) => JSON.stringify(value)
    writeFileSync(
      script,
      `const { Engine } = await import(${say(assetPath('index.js'))})
const engine = await Engine.open({ home: ${say(home)} })
await engine.images.import(${say(assetPath('wasm/probe.wasm'))}, { reference: 'probe' })
globalThis.kept = await engine.containers.prewarm({ image: 'probe', count: 2 })
console.log('ready')`,
    )
    const host = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] })
    await new Promise((resolve) => host.stdout.once('data', resolve))
    const processes = below(host.pid ?? 0)
    assert.ok(processes.length >= 6, `${processes.length}`)
    const before = names(home)
    host.kill('SIGKILL')
    await eventually('all are gone', () => processes.every((pid) => !isThere(pid)))
    assert.equal(names(home), before)
    assert.equal(
      names(home).filter((name) => /^containers\/[0-9a-f]{64}/.test(name)),
      [],
    )
  }),
)

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

walled(
  'one that is kept has its files, its log and its end as a cold one has',
  withBench(async ({ engine, prewarm, run }) => {
    await using _kept = await prewarm({ autoRemove: false })
    const [waiting] = sandboxes()
    const { pid, exitCode } = await run([',', 'write', '/kept', 'content', ',', 'print', 'said', ',', 'exit', '5'], {
      autoRemove: false,
      name: 'kept',
      log: { driver: 'json-file', maximumBytes: null, files: 1 },
    })
    assert.equal([pid, exitCode], [waiting, 5])
    const container = await engine.containers.get('kept')
    assert.is(container.summary().exit?.exitCode, 5)
    let logged = ''
    for await (const line of container.logs()) logged += JSON.stringify(line)
    assert.ok(logged.includes('said'), logged)
    assert.ok((await container.fs()).existsSync('/kept'))
    await container.remove()
  }),
)

walled('what cannot be made ready is refused by name', () =>
  withBench(async ({ prewarm }) => {
    const codeOf = (options: Partial<PrewarmOptions>) =>
      prewarm(options).then(
        () => 'none',
        (error: EngineError) => error.code,
      )
    assert.is(await codeOf({ count: 0 }), 'INVALID_ARGUMENT')
    assert.is(await codeOf({ count: 1.5 }), 'INVALID_ARGUMENT')
    assert.is(await codeOf({ image: 'nobody' }), 'IMAGE_NOT_FOUND')
    assert.is(await codeOf({ mounts: [{ type: 'volume', destination: '/v', readonly: false }] }), 'INVALID_ARGUMENT')
    assert.is(await codeOf({ signal: AbortSignal.abort() }), 'ABORTED')
    assert.equal(sandboxes(), [])
  })(),
)

test.run()
