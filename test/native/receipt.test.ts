import { existsSync, statSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { launch } from '../../src/launcher/client.js'
import type { IdMap } from '../../src/launcher/id-map.js'
import { chooseIdMap, singleIdMap } from '../../src/launcher/id-map.js'
import { assetPath, seccompAsset } from '../../src/launcher/installation.js'
import type { Operation, Plan } from '../../src/launcher/operations.js'
import { containerPlan } from '../../src/native/plan.js'
import { etcFiles } from '../../src/rootfs/etc-files.js'
import { ensureTrees } from '../../src/rootfs/write-tree.js'
import { crossCheck, failedChecks } from '../../src/runtime/cross-check.js'
import { hostIdentity, kernelEvidence } from '../../src/runtime/kernel-evidence.js'
import type { KernelEvidence } from '../../src/runtime/receipt.js'
import { withNativeWall } from '../support/native-wall.js'
import { BUSYBOX, ID_RANGE, NATIVE } from '../support/requirements.js'
import type { SpecChange } from '../support/specs.js'
import { containerSpec } from '../support/specs.js'
import { suite } from '../support/suite.js'

const test = suite('native/receipt')

/** What a plan gives: evidence that does not depend on when it was taken, or that it could not be carried out. */
async function outcomeOf(plan: Plan): Promise<{ text: string; evidence: KernelEvidence | null; disagreeing: string[] }> {
  const launcher = launch(plan, { stdio: ['ignore', 'ignore', 'ignore'], seccompProgramPath: assetPath(seccompAsset() ?? '') })
  try {
    const { created, receipt } = await launcher.ready
    const evidence = kernelEvidence(receipt, hostIdentity())
    const disagreeing = failedChecks(crossCheck({ pid: created.guest, evidence, limits: [] }))
    return { text: JSON.stringify(timeless(evidence)), evidence, disagreeing }
  } catch (error) {
    return { text: `failed: ${(error as Error).message}`, evidence: null, disagreeing: [] }
  } finally {
    launcher.kill()
    await launcher.exited.catch(() => {})
  }
}

/** Namespaces have other numbers each time; whether they are the host's does not change. */
function timeless(evidence: KernelEvidence): unknown {
  const namespaces = Object.fromEntries(Object.entries(evidence.namespaces).map(([name, { isolated }]) => [name, isolated]))
  return { ...evidence, namespaces }
}

async function withPlan(idMap: IdMap, change: SpecChange, body: (plan: Plan) => Promise<void>): Promise<void> {
  await withNativeWall(
    async ({ trees, rootfs }) => {
      const spec = containerSpec(change)
      const { lowers } = await ensureTrees({ directory: trees, idMap, layers: rootfs.layers, merged: () => rootfs.tree() })
      await body(
        containerPlan({
          spec,
          idMap,
          root: { lowers, memory: null, upper: { kind: 'memory', bytes: 1 << 20, inodes: 1024 } },
          etcFiles: etcFiles({ hostname: spec.hostname, network: spec.network.mode }),
          openStdin: false,
          keepStdin: false,
          supervision: [],
          terminalSize: { rows: 33, columns: 44 },
          host: { openFiles: -1, processes: -1, tmpfsBytes: 1 << 20 },
        }),
      )
    },
    { idMap },
  )
}

/** Operations that do nothing here, each with the reason that a kernel or a plan gives. */
function changesNothing(operation: Operation, idMap: IdMap, baseline: KernelEvidence): boolean {
  const [name, path] = operation
  // Nothing to hide where the kernel has no such file, or lets no user touch it.
  if (name === 'mask' && isClosed(String(path))) return true
  if (name === 'mask' || name === 'read-only') return !existsSync(String(path))
  // Without a Landlock that scopes, the receipt says that nothing is scoped, either way.
  if (name === 'landlock-scope') return baseline.landlock?.scopes.length === 0
  // Under a single id there is no one else to be.
  return name === 'user' && idMap.kind === 'single'
}

function isClosed(path: string): boolean {
  const status = statSync(path, { throwIfNoEntry: false })
  return status?.isFile() === true && status.uid === 0 && process.geteuid?.() !== 0 && (status.mode & 0o007) === 0
}

async function assertEveryOperationShows(idMap: IdMap, change: SpecChange): Promise<void> {
  const umask = process.umask(0o077)
  try {
    await withPlan(idMap, change, async (plan) => {
      const { text, evidence, disagreeing } = await outcomeOf(plan)
      if (evidence === null) throw new Error(text)
      assert.equal(disagreeing, [])
      assert.is((await outcomeOf(plan)).text, text, 'the same plan gives the same evidence')
      const unseen: string[] = []
      for (const [index, operation] of plan.operations.entries()) {
        if (changesNothing(operation, idMap, evidence)) continue
        const without = plan.operations.filter((_, other) => other !== index)
        const outcome = await outcomeOf({ ...plan, operations: without })
        if (outcome.text === text) unseen.push(operation.join(' '))
        assert.equal(outcome.disagreeing, [], `without ${operation.join(' ')}`)
      }
      assert.equal(unseen, [])
    })
  } finally {
    process.umask(umask)
  }
}

test.needs(NATIVE, BUSYBOX, ID_RANGE)(
  'removing any operation changes the receipt: a user of an id range, at a terminal, with mounts and every limit',
  () =>
    assertEveryOperationShows(chooseIdMap().map, {
      hostname: 'guest-of-a-test',
      process: { terminal: true, cwd: '/made/for/this', user: { uid: 1000, gid: 1001, additionalGids: [5] } },
      limits: { pids: 77, openFiles: 88, outputBytes: 99, timeoutMs: 60_000 },
      readonlyRootfs: true,
      mounts: [
        { type: 'tmpfs', destination: '/scratch', sizeBytes: 8192, readonly: false },
        { type: 'bind', source: '/etc', destination: '/host-etc', readonly: true },
      ],
    }),
  { timeoutMs: 120_000 },
)

test.needs(NATIVE, BUSYBOX)(
  "removing any operation changes the receipt: root of a single id, with pipes and the host's network",
  () => assertEveryOperationShows(singleIdMap(), { process: { cwd: '/made' }, network: { mode: 'host' } }),
  { timeoutMs: 120_000 },
)

test.needs(NATIVE, BUSYBOX, ID_RANGE)(
  'removing any operation changes the receipt: a user who may gain privileges, with a device and kernel parameters',
  () =>
    assertEveryOperationShows(chooseIdMap().map, {
      process: { cwd: '/made', user: { uid: 33, gid: 33, additionalGids: [] } },
      privileges: {
        capAdd: ['NET_ADMIN'],
        noNewPrivileges: false,
        ipc: 'none',
        devices: [{ source: '/dev/null', destination: '/dev/given' }],
        sysctls: { 'net.ipv4.ip_forward': '1', 'net.ipv4.ping_group_range': '0\t7' },
      },
    }),
  { timeoutMs: 120_000 },
)

test.needs(NATIVE, BUSYBOX)('the receipt of a plain container says what docker would promise, and more', () =>
  withPlan(singleIdMap(), {}, async (plan) => {
    const { evidence, disagreeing } = await outcomeOf(plan)
    if (evidence === null) throw new Error('no evidence')
    assert.equal(disagreeing, [])
    assert.equal(
      Object.entries(evidence.namespaces).filter(([, { isolated }]) => !isolated),
      [],
    )
    assert.is(evidence.root.hostRootVisible, false)
    assert.is(evidence.seccomp.mode, 2)
    assert.is(evidence.noNewPrivileges, true)
    assert.is(evidence.capabilities.inheritable, '0000000000000000')
    assert.is(evidence.capabilities.ambient, '0000000000000000')
    assert.equal(evidence.descriptors, [0, 1, 2])
    assert.equal(evidence.interfaces, { lo: 'up' })
    assert.is(evidence.process.session, true)
    assert.is(evidence.hostname, 'guest')
    assert.is(JSON.stringify(evidence).includes('wolffia-native-'), false, 'no host path is shown')
  }),
)

test.run()
