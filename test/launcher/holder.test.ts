import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import { EngineError } from '../../src/errors.js'
import { perform } from '../../src/launcher/client.js'
import { Holder, type HolderSettings, holderMemory, holderSettings } from '../../src/launcher/holder.js'
import { chooseIdMap, type IdMap, idMapOperations, type LivingHolder, singleIdMap } from '../../src/launcher/id-map.js'
import { mayBeAlive, pidOf } from '../../src/store/process-identity.js'
import { type Box, eventually, withBox } from '../support/launcher-box.js'
import { BUSYBOX, ID_RANGE, NATIVE } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('launcher/holder')
const ranged = test.needs(NATIVE, BUSYBOX, ID_RANGE)

interface Held {
  readonly holder: Holder
  readonly living: LivingHolder
  readonly pid: number
  /** The range, through this holder or not at all: its helpers are no programs. */
  readonly idMap: IdMap
}

async function withHolder(settings: HolderSettings, body: (held: Held) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'wolffia-holder-'))
  const holder = new Holder(folder, () => settings)
  try {
    const { map } = chooseIdMap(holder)
    const living = await holder.ensure(map)
    assert.ok(living !== null)
    const helpers = { newuidmap: join(folder, 'none'), newgidmap: join(folder, 'none') }
    await body({ holder, living, pid: pidOf(living.identity), idMap: { ...map, helpers } })
  } finally {
    await holder.end()
    rmSync(folder, { recursive: true, force: true })
  }
}

const seconds = (count: number): HolderSettings => ({ seconds: count, memoryBytes: 1 << 20 })
const isGone = ({ identity }: LivingHolder) => !mayBeAlive(identity)

async function start(box: Box, idMap: IdMap, args = ['sleep', '1000']) {
  const launcher = box.launch(args, { idMap })
  const { created, receipt } = await launcher.ready
  await launcher.go()
  return { launcher, created, receipt }
}

ranged('a start below the holder asks no helper, and has the ids of the range', () =>
  withHolder(seconds(60), ({ idMap, pid }) =>
    withBox(async (box) => {
      const { launcher, created, receipt } = await start(box, idMap, ['sh', '-c', 'exit 3'])
      assert.is(created.holder, pid)
      assert.is((await launcher.exited).code, 3)
      const numbers = (text: string) => text.trim().split(/\s+/).map(Number)
      assert.equal(
        numbers(receipt.uid_map),
        idMap.uids.flatMap(({ inside, count }) => [inside, inside, count]),
      )
    }),
  ),
)

ranged('seen from the host, what runs below a holder has the same ids as what stands alone', () =>
  withHolder(seconds(60), ({ idMap }) =>
    withBox(async (box) => {
      const alone = await start(box, chooseIdMap().map)
      const below = await start(box, idMap)
      for (const file of ['uid_map', 'gid_map'])
        assert.is(
          readFileSync(`/proc/${below.created.guest}/${file}`, 'utf8'),
          readFileSync(`/proc/${alone.created.guest}/${file}`, 'utf8'),
        )
      for (const { launcher } of [alone, below]) {
        launcher.kill()
        await launcher.exited
      }
    }),
  ),
)

ranged('a plan goes on without a holder that has ended, by the helpers', () =>
  withHolder(seconds(60), ({ living }) =>
    withBox(async (box) => {
      process.kill(pidOf(living.identity), 'SIGKILL')
      await eventually('it has ended', () => isGone(living))
      const { map } = chooseIdMap()
      const { launcher, created } = await start(box, { ...map, holder: { living: () => living } }, ['true'])
      assert.is(created.holder, null)
      assert.is((await launcher.exited).code, 0)
    }),
  ),
)

ranged('a plan that needs the memory of one that has ended fails by that name', () =>
  withHolder(seconds(60), async ({ living }) => {
    process.kill(pidOf(living.identity), 'SIGKILL')
    await eventually('it has ended', () => isGone(living))
    const memory = holderMemory(living)
    const operations = [
      ...idMapOperations(chooseIdMap().map, living),
      ['namespace', 'mount'] as const,
      ['holder-memory', memory] as const,
      ['tree-make', join(memory, 'tree')] as const,
    ]
    const error = await perform({ operations, exec: null }).catch((thrown: unknown) => thrown)
    assert.instance(error, EngineError)
    assert.is((error as EngineError).data.operation, 'holder-memory')
  }),
)

ranged('what one launcher puts into its memory the next finds there, and nobody on the host', () =>
  withHolder(seconds(60), async ({ idMap, living }) => {
    const memory = holderMemory(living)
    const inMemory = (operation: 'tree-make' | 'tree-remove', name: string) =>
      perform({
        operations: [...idMapOperations(idMap, living), ['namespace', 'mount'], ['holder-memory', memory], [operation, join(memory, name)]],
        exec: null,
      })
    await inMemory('tree-make', 'tree')
    const again = await inMemory('tree-make', 'tree').catch((error: EngineError) => error.data.errno)
    assert.is(again, 'EEXIST')
    assert.equal(readdirSync(memory), [])
    await inMemory('tree-remove', 'tree')
    await inMemory('tree-make', 'tree')
  }),
)

ranged('it keeps nothing of the host from being unmounted, and nothing of who started it open', () =>
  withHolder(seconds(60), async ({ pid }) => {
    const mounts = readFileSync(`/proc/${pid}/mountinfo`, 'utf8').trimEnd().split('\n')
    assert.is(mounts.length, 1)
    assert.match(mounts[0] ?? '', / \/ \/ rw,nodev,.* - tmpfs /)
    // Its listener, and a spare for whom it has no room.
    assert.is(new Set(readdirSync(`/proc/${pid}/fd`).map((name) => readlinkSync(`/proc/${pid}/fd/${name}`))).size, 1)
  }),
)

ranged('it takes less than 3 MB', () =>
  withHolder(seconds(60), async ({ pid }) => {
    const [, kibibytes] = /^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')) ?? []
    assert.ok(Number(kibibytes) > 0 && Number(kibibytes) < 3000, `${kibibytes} KiB`)
  }),
)

ranged('it ends by itself when nobody has needed it for its time', () =>
  withHolder(seconds(1), async ({ holder, living }) => {
    await eventually('it has ended', () => isGone(living))
    assert.is(holder.living(), null)
  }),
)

ranged('it stays while a container runs, and ends after it', () =>
  withHolder(seconds(1), ({ living, idMap }) =>
    withBox(async (box) => {
      const { launcher, created } = await start(box, idMap, ['sh', '-c', 'sleep 3; exit 4'])
      const { code } = await launcher.exited
      assert.is(code, 4)
      // Gone at the end of the container, it would have been gone for two seconds.
      assert.not(isGone(living), 'it stays while somebody has a lease')
      assert.is(created.holder, pidOf(living.identity))
      await eventually('it has ended', () => isGone(living))
    }),
  ),
)

ranged('any number that want one at once get the same', () =>
  withHolder(seconds(60), async ({ holder, living, idMap }) => {
    process.kill(pidOf(living.identity), 'SIGKILL')
    await eventually('it has ended', () => isGone(living))
    const { map } = chooseIdMap()
    const others = Array.from({ length: 5 }, () => new Holder(living.folder, () => seconds(60)))
    const found = await Promise.all(others.map((other) => other.ensure(map)))
    assert.is(new Set(found.map((each) => each?.identity)).size, 1)
    assert.equal(holder.living(), found[0])
    assert.is(readdirSync(living.folder).filter((name) => name.startsWith('socket-')).length, 1, 'the socket of the last one is gone')
    assert.is(idMap.kind, 'range')
  }),
)

ranged('whoever ends it while others start one takes nothing away from them', () =>
  withHolder(seconds(60), async ({ living: { folder } }) => {
    for (let delayMs = 0; delayMs < 40; delayMs++) {
      const { map } = chooseIdMap()
      const [started] = await Promise.all([
        new Holder(folder, () => seconds(60)).ensure(map),
        sleep(delayMs).then(() => new Holder(folder).end()),
      ])
      assert.ok(started !== null, `ended after ${delayMs} ms`)
      assert.ok(existsSync(holderMemory(started)), `ended after ${delayMs} ms`)
    }
    await new Holder(folder).end()
    assert.equal(readdirSync(folder).sort(), ['lock', 'memory'])
    assert.equal(readdirSync(join(folder, 'lock')), [])
  }),
)

ranged('a host that lets none be started is no obstacle', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'wolffia-holder-'))
  try {
    const holder = new Holder(join(folder, 'holder'), () => seconds(60))
    const { map } = chooseIdMap()
    assert.is(await holder.ensure({ ...map, helpers: { newuidmap: '/bin/false', newgidmap: '/bin/false' } }), null)
    assert.is(holder.living(), null)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

ranged('one that is stopped is waited for a moment, and then done without', () =>
  withHolder(seconds(60), ({ living, pid }) =>
    withBox(async (box) => {
      process.kill(pid, 'SIGSTOP')
      // As many as may wait for an answer, and more.
      const waiting = Array.from({ length: 80 }, () => connect(join(living.folder, living.name)).on('error', () => {}))
      const { map } = chooseIdMap()
      const { launcher, created } = await start(box, { ...map, holder: { living: () => living } }, ['true'])
      assert.is(created.holder, null)
      assert.is((await launcher.exited).code, 0)
      for (const socket of waiting) socket.destroy()
      process.kill(pid, 'SIGCONT')
    }),
  ),
)

ranged('one that has no room for more leases refuses them, and does not turn in circles', () =>
  withHolder(seconds(60), ({ living, pid, idMap }) =>
    withBox(async (box) => {
      execFileSync('prlimit', [`--pid=${pid}`, '--nofile=20:20'])
      const leases = Array.from({ length: 40 }, () => connect(join(living.folder, living.name)).on('error', () => {}))
      await eventually('some are refused', () => leases.some((socket) => socket.closed || socket.readableEnded || socket.destroyed))
      const { launcher } = await start(box, idMap, ['true'])
      assert.is((await launcher.exited).code, 0)
      const ticks = () => Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[11])
      const before = ticks()
      await new Promise((resolve) => setTimeout(resolve, 1000))
      assert.ok(ticks() - before < 50, 'it sleeps')
      for (const socket of leases) socket.destroy()
    }),
  ),
)

ranged('one that was given other ids is not used, and another is started for these', () =>
  withHolder(seconds(60), async ({ holder, living }) => {
    const { map } = chooseIdMap(holder)
    const other = { ...map, key: `${map.key}-other` }
    assert.equal(
      idMapOperations(other).filter(([name]) => name === 'holder'),
      [],
    )
    const second = await holder.ensure(other)
    assert.not.equal(second?.identity, living.identity)
    assert.is(idMapOperations(other)[0]?.[0], 'holder')
    process.kill(pidOf(living.identity))
  }),
)

test('a single id, and zero seconds, need none', async () => {
  const nowhere = '/nowhere/holder'
  assert.is(await new Holder(nowhere, () => seconds(60)).ensure(singleIdMap()), null)
  assert.is(await new Holder(nowhere, () => seconds(0)).ensure({ ...singleIdMap(), helpers: { newuidmap: '', newgidmap: '' } }), null)
})

test('the environment says how long it stays and how much it takes', () => {
  assert.equal(holderSettings({}), { seconds: 300, memoryBytes: undefined })
  assert.equal(holderSettings({ WOLFFIA_HOLDER_SECONDS: '0', WOLFFIA_HOLDER_BYTES: '2g' }), { seconds: 0, memoryBytes: 2 ** 31 })
  assert.throws(() => holderSettings({ WOLFFIA_HOLDER_SECONDS: 'often' }), /WOLFFIA_HOLDER_SECONDS is "often"/)
})

test.run()
