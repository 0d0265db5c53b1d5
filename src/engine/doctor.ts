import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EngineError, messageOf } from '../errors.js'
import type { Finding } from '../launcher/probe.js'
import { ownRuntimes, Walls } from './walls.js'

/** What `doctor` finds: which walls stand here, and what is missing. */
export interface Diagnosis {
  /** The store, then each step of the native wall, tried in order; what follows a step that nothing can do without is not tried. */
  readonly findings: readonly Finding[]
  /** Wall to the reason it cannot be used, or null. */
  readonly runtimes: Readonly<Record<string, string | null>>
}

/** Tries what the walls need, by doing it below the folder that will hold containers. */
export async function diagnose(walls: Walls, home: string): Promise<Diagnosis> {
  return { findings: [storeFinding({ ok: true, why: home, fix: null }), ...(await probe(home))], runtimes: await tryAll(walls) }
}

/** The same for a host where no engine can be opened, for the reason given: the walls are tried in a temporary folder. */
export async function diagnoseWithoutStore(reason: unknown): Promise<Diagnosis> {
  const fix = (reason instanceof EngineError && reason.hint) || 'set WOLFFIA_HOME to a folder of your own'
  const folder = await mkdtemp(join(tmpdir(), 'wolffia-doctor-'))
  try {
    const walls = new Walls(() => ownRuntimes(folder))
    return {
      findings: [storeFinding({ ok: false, why: messageOf(reason), fix }), ...(await probe(folder))],
      runtimes: await tryAll(walls),
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function storeFinding(outcome: Pick<Finding, 'ok' | 'why' | 'fix'>): Finding {
  return { name: 'store', purpose: 'images and containers', required: true, errno: null, ...outcome }
}

async function probe(directory: string): Promise<readonly Finding[]> {
  const [{ probeHost }, { groupsMissing, LEAST_FIX }] = await Promise.all([
    import('../launcher/probe.js'),
    import('../runtime/make-groups.js'),
  ])
  const { delegationSteps } = await import('../launcher/root-steps.js')
  const missing = groupsMissing()
  const groups: Finding = {
    name: 'control groups',
    purpose: '--memory and --cpus of native containers',
    ok: missing === null,
    required: false,
    errno: null,
    why: missing ?? 'a group was made below this one, and bounded',
    fix: missing === null ? null : LEAST_FIX,
    ...(missing === null ? {} : { rootSteps: delegationSteps() }),
  }
  return [...(await probeHost({ directory })), groups]
}

async function tryAll(walls: Walls): Promise<Record<string, string | null>> {
  const runtimes: Record<string, string | null> = {}
  for (const runtime of await walls.all()) runtimes[runtime.name] = await runtime.unavailable()
  return runtimes
}
