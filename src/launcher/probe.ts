/**
 * What this host allows, found out by doing it: every step of the native wall as a small plan of its own. A version check lies
 * (AppArmor, sysctls, file systems), a mount that succeeds lies too (an overlay may mount and then not rename).
 */
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { release, tmpdir } from 'node:os'
import { join } from 'node:path'
import { EngineError, messageOf } from '../errors.js'
import { IDENTITY_PATTERN, mayBeAlive, ownIdentity } from '../store/process-identity.js'
import { launch, launcherMissing, perform } from './client.js'
import type { IdMap } from './id-map.js'
import { chooseIdMap, idMapOperations, singleIdMap } from './id-map.js'
import { assetPath, launcherBuildCommand, seccompAsset } from './installation.js'
import type { Operation } from './operations.js'
import { boundAdvice, commandsOf, namespaceAdvice, rangeAdvice } from './probe-advice.js'
import type { ReceiptEvent } from './protocol.js'
import { boundSteps, namespaceSteps, type RootStep, rangeSteps, TUN_DEVICE, tunSteps } from './root-steps.js'

/** One thing that was tried. */
export interface Finding {
  readonly name: string
  /** What it is for, in a few words. */
  readonly purpose: string
  readonly ok: boolean
  /** Without it there is no native wall at all. */
  readonly required: boolean
  /** What the kernel said, `EPERM`; null when it worked or was not about a call. */
  readonly errno: string | null
  /** What was found, as a sentence. */
  readonly why: string
  /** What to do about it; null when there is nothing to do. */
  readonly fix: string | null
  /** The same as what root does, where a script can do it. */
  readonly rootSteps?: readonly RootStep[]
}

/** Options of {@link probeHost}. */
export interface ProbeOptions {
  /** A folder on the file system that will hold containers' writable layers; the system's temporary folder when absent. */
  readonly directory?: string
  /** Stops after the first required step that fails. */
  readonly stopAtFirst?: boolean
}

const NAMESPACES = ['mount', 'pid', 'ipc', 'uts', 'net', 'cgroup'] as const
/** Without one of them nothing of what follows can work, and what it would say would not be the cause. */
const NEEDED_BY_ALL = ['launcher', 'user namespace', 'mount namespace']
const KERNEL_LEAST = [5, 13] as const
const LANDLOCK_SCOPES_ABI = 6
const FOLDER_NAME = new RegExp(`^wolffia-probe-(${IDENTITY_PATTERN})-`)

type Outcome = Pick<Finding, 'ok' | 'errno' | 'why' | 'fix' | 'rootSteps'>

interface Step {
  readonly name: string
  readonly purpose: string
  readonly required: boolean
  readonly attempt: () => Outcome | Promise<Outcome>
}

/** Tries each step in order and says how each went. Never throws; leaves nothing behind. */
export async function probeHost(options: ProbeOptions = {}): Promise<Finding[]> {
  const parent = options.directory ?? tmpdir()
  for (const name of readdirSync(parent)) if (isLeftBehind(parent, name)) await removeFolder(join(parent, name))
  const folder = mkdtempSync(join(parent, `wolffia-probe-${ownIdentity()}-`))
  const findings: Finding[] = []
  try {
    for (const { name, purpose, required, attempt } of steps(folder)) {
      const outcome = await attempt()
      findings.push({ name, purpose, required, ...outcome })
      if (required && !outcome.ok && (options.stopAtFirst === true || NEEDED_BY_ALL.includes(name))) break
    }
  } finally {
    await removeFolder(folder)
  }
  return findings
}

/** A folder of a probe of ours that was killed: an overlay's own folders in it can't be entered, so only we can remove it. */
function isLeftBehind(parent: string, name: string): boolean {
  const identity = FOLDER_NAME.exec(name)?.[1]
  if (identity === undefined || mayBeAlive(identity)) return false
  // In a folder that everybody may write to, the name could be anybody's, and a link to anything.
  const status = lstatSync(join(parent, name), { throwIfNoEntry: false })
  return status?.isDirectory() === true && status.uid === process.geteuid?.()
}

/** Why native containers cannot run here, from the steps they require; null when they can. */
export function obstacle(findings: readonly Finding[]): string | null {
  const failed = findings.find(({ ok, required }) => required && !ok)
  return failed === undefined ? null : `${failed.name}: ${failed.why}${failed.fix === null ? '' : `; ${failed.fix}`}`
}

function steps(folder: string): Step[] {
  const single = singleIdMap()
  const chosen = chooseIdMap()
  return [
    { name: 'user', purpose: 'a guest’s root that is nobody’s', required: false, attempt: probeUser },
    { name: 'launcher', purpose: 'the native wall’s own program', required: true, attempt: probeLauncher },
    { name: 'kernel', purpose: 'the calls the launcher makes', required: true, attempt: probeKernel },
    {
      name: 'user namespace',
      purpose: 'everything else without root',
      required: true,
      attempt: async () => withSteps(await tryPlan(idMapOperations(single), namespaceAdvice), namespaceSteps),
    },
    ...NAMESPACES.map((name) => ({
      name: `${name} namespace`,
      purpose: `a ${name} view of its own`,
      required: true,
      attempt: async () =>
        withSteps(await tryPlan([...idMapOperations(single), ['namespace', name]], () => boundAdvice(name)), () => boundSteps(name)),
    })),
    {
      name: 'id range',
      purpose: 'more than one user in a container',
      required: false,
      attempt: () =>
        chosen.reason === null
          ? tryPlan(idMapOperations(chosen.map))
          : rangeOutcome(chosen.reason, chosen.lack === null ? [] : rangeSteps(chosen.lack)),
    },
    {
      name: 'overlay on disk',
      purpose: 'layers under a writable layer that is kept',
      required: true,
      attempt: () => tryOverlay(single, folder, 'disk'),
    },
    {
      name: 'overlay in memory',
      purpose: 'a writable layer that dies with its container',
      required: false,
      attempt: () => tryOverlay(single, folder, 'memory'),
    },
    { name: 'devpts', purpose: 'a /dev/pts', required: true, attempt: () => tryPlan(devptsOperations(single)) },
    { name: 'terminal', purpose: 'run -t', required: false, attempt: () => tryPlan(terminalOperations(single)) },
    {
      name: 'tun',
      purpose: 'interfaces for slirp4netns and pasta; no container of ours has one',
      required: false,
      attempt: async () => withTunAdvice(await tryPlan([...idMapOperations(single), ['namespace', 'net'], ['exercise-tap', TUN_DEVICE]])),
    },
    { name: 'seccomp', purpose: 'a filter on system calls', required: true, attempt: () => tryGuest(single, seccompOutcome) },
    {
      name: 'landlock',
      purpose: 'signals and abstract sockets kept inside',
      required: false,
      attempt: () => tryGuest(single, landlockOutcome),
    },
  ]
}

/** The device is the host's: what keeps a user from it decides what root does. */
function withTunAdvice(outcome: Outcome): Outcome {
  if (outcome.ok) return outcome
  const steps = tunSteps(outcome.errno)
  return withSteps({ ...outcome, fix: commandsOf(steps) }, () => steps)
}

/** What did not work, with what root does about it. */
function withSteps(outcome: Outcome, steps: () => readonly RootStep[]): Outcome {
  const rootSteps = outcome.ok ? [] : steps()
  return rootSteps.length === 0 ? outcome : { ...outcome, rootSteps }
}

function rangeOutcome(reason: string, steps: readonly RootStep[]): Outcome {
  return withSteps({ ok: false, errno: null, ...rangeAdvice(reason, steps) }, () => steps)
}

const worked = (why: string): Outcome => ({ ok: true, errno: null, why, fix: null })

function probeUser(): Outcome {
  const uid = process.geteuid?.() ?? 0
  if (uid !== 0) return worked(`an ordinary one (uid ${uid})`)
  return {
    ok: false,
    errno: null,
    why: 'you are root, and so is the root of every guest: what the kernel allows by user id alone it allows to guests',
    fix: 'run wolffia as an ordinary user',
  }
}

function probeLauncher(): Outcome {
  return launcherMissing() === null
    ? worked(assetPath('launcher'))
    : {
        ok: false,
        errno: null,
        why: `there is none (${assetPath('launcher')})`,
        fix: `install a C compiler (gcc or clang), then ${launcherBuildCommand()}`,
      }
}

function probeKernel(): Outcome {
  const [major = 0, minor = 0] = release()
    .split('.')
    .map((part) => Number.parseInt(part, 10))
  const enough = major > KERNEL_LEAST[0] || (major === KERNEL_LEAST[0] && minor >= KERNEL_LEAST[1])
  return enough
    ? worked(`Linux ${release()}`)
    : { ok: false, errno: null, why: `Linux ${release()} is older than ${KERNEL_LEAST.join('.')}`, fix: 'run a newer kernel' }
}

async function tryPlan(operations: readonly Operation[], advise?: () => string | null): Promise<Outcome> {
  try {
    await perform({ operations, exec: null })
    return worked('works')
  } catch (error) {
    return failed(error, advise)
  }
}

function failed(error: unknown, advise?: () => string | null): Outcome {
  const known = error instanceof EngineError ? error : null
  const errno = known?.data.errno
  return {
    ok: false,
    errno: typeof errno === 'string' ? errno : null,
    why: messageOf(error),
    fix: advise?.() ?? known?.hint ?? null,
  }
}

function tryOverlay(map: IdMap, folder: string, kind: 'disk' | 'memory'): Promise<Outcome> {
  const at = (name: string) => join(folder, kind, name)
  mkdirSync(at('lower/probe'), { recursive: true })
  for (const name of ['upper', 'work']) mkdirSync(at(name))
  const upper: Operation = kind === 'disk' ? ['overlay-upper', at('upper'), at('work')] : ['overlay-upper-memory', 1 << 20, 64]
  const advice =
    kind === 'disk'
      ? 'put WOLFFIA_HOME on a local file system such as ext4, xfs or btrfs'
      : 'its tmpfs has no user attributes (Linux 6.6 brings them): writable layers are kept on disk instead'
  return tryPlan(
    [
      ...idMapOperations(map),
      ['namespace', 'mount'],
      ['overlay-lower', at('lower')],
      upper,
      ['root-overlay'],
      ['exercise-directory', '/probe'],
    ],
    () => advice,
  )
}

function devptsOperations(map: IdMap): Operation[] {
  return [...idMapOperations(map), ['namespace', 'mount'], ['root-tmpfs', 4096, 16, '0755'], ['mount-devpts', '/pts']]
}

function terminalOperations(map: IdMap): Operation[] {
  return [['stdio', 'terminal', 'closed'], ...devptsOperations(map), ['mount-console', '/console']]
}

/** Takes a guest up to its first instruction, looks at its receipt, and lets it go no further. */
async function tryGuest(map: IdMap, judge: (receipt: ReceiptEvent) => Outcome): Promise<Outcome> {
  const asset = seccompAsset()
  if (asset === null) return { ok: false, errno: null, why: `there is no system call policy for ${process.arch}`, fix: null }
  try {
    const launcher = launch(
      {
        operations: [
          ...idMapOperations(map),
          ['namespace', 'mount'],
          ['namespace', 'pid'],
          ['stdio', 'pipes', 'closed'],
          ['no-new-privileges'],
          ['landlock-scope', 'abstract-unix-socket'],
          ['seccomp'],
        ],
        exec: { args: ['/never'], env: [] },
      },
      { seccompProgramPath: assetPath(asset) },
    )
    try {
      return judge((await launcher.ready).receipt)
    } finally {
      launcher.kill()
      await launcher.exited.catch(() => {})
    }
  } catch (error) {
    return failed(error)
  }
}

function seccompOutcome({ status }: ReceiptEvent): Outcome {
  return /^Seccomp:\s+2$/m.test(status)
    ? worked('a filter is in force')
    : { ok: false, errno: null, why: 'the filter was loaded and is not in force', fix: null }
}

function landlockOutcome({ landlock }: ReceiptEvent): Outcome {
  const abi = landlock?.abi ?? 0
  if (abi >= LANDLOCK_SCOPES_ABI) return worked(`ABI ${abi}`)
  return { ok: false, errno: null, why: abi === 0 ? 'not in this kernel' : `ABI ${abi} has no scopes`, fix: 'Linux 6.12 brings it' }
}

/** What the overlay made in its work folder can be closed even to its owner, outside. */
async function removeFolder(folder: string): Promise<void> {
  const remove: readonly Operation[] = [
    ['namespace', 'mount'],
    ['tree-remove', folder],
  ]
  try {
    await perform({ operations: [...idMapOperations(singleIdMap()), ...remove], exec: null })
  } catch {
    // Without namespaces there was no overlay either, so the folder is an ordinary one.
    rmSync(folder, { recursive: true, force: true })
  }
}
