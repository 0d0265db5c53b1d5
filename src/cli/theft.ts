import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { ThiefReport } from '#images'
import type { Engine } from '../engine/engine.js'
import { EngineError, messageOf } from '../errors.js'
import type { Limits } from '../runtime/limits.js'
import type { Receipt } from '../runtime/receipt.js'
import type { Decoys, Traces } from './decoys.js'

/** The walls the thief is run behind. */
export type Wall = 'native' | 'wasm'

/** How one run of the thief went: a column. */
export interface Theft {
  readonly wall: 'no wall' | Wall
  /** Null when it could not run; then `absent` says why and what to do. */
  readonly report: ThiefReport | null
  readonly absent: string | null
  /** From asking for it to its exit, wall included. */
  readonly durationMs: number
  readonly traces: Traces | null
  readonly receipt: Receipt | null
  /** What this host could not limit, a sentence; null when all limits held. */
  readonly note: string | null
}

const TIME_LIMIT_MS = 20_000
const MIB = 2 ** 20
const LIMITS = { pids: 32, diskBytes: 16 * MIB, timeoutMs: TIME_LIMIT_MS, outputBytes: 64 * 1024 } as const satisfies Limits
const MEMORY_BYTES = 48 * MIB

/** Runs it with no wall at all, against decoys. */
export async function stealInTheOpen(decoys: Decoys): Promise<Theft> {
  const { compileThief, parseThiefReport } = await import('#images')
  const program = join(decoys.directory, 'thief')
  const absent = await compileThief(program)
  if (absent !== null) return { ...noTheft('no wall'), absent }
  await decoys.reset()
  const startMs = performance.now()
  const child = spawn(program, decoys.errand(join(decoys.directory, 'scratch')), {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: TIME_LIMIT_MS,
    killSignal: 'SIGKILL',
  })
  const failed = new Promise<never>((_, reject) => child.on('error', reject))
  const output = await Promise.race([text(child.stdout), failed])
  const durationMs = performance.now() - startMs
  return { ...noTheft('no wall'), report: parseThiefReport(output), durationMs, traces: await decoys.traces() }
}

/** Runs it behind a wall, with limits. A wall that this host lacks gives a theft without a report that says why. */
export async function stealBehind(engine: Engine, wall: Wall, decoys: Decoys): Promise<Theft> {
  const reason = (await engine.doctor()).runtimes[wall] ?? null
  if (reason !== null) return { ...noTheft(wall), absent: reason }
  try {
    return await stealLimited(engine, wall, decoys)
  } catch (error) {
    if (!(error instanceof EngineError)) throw error
    return { ...noTheft(wall), absent: sentenceOf(error) }
  }
}

/** The memory limit is the one that takes something of the host: without a cgroup the rest is shown without it, and that is said. */
async function stealLimited(engine: Engine, wall: Wall, decoys: Decoys): Promise<Theft> {
  try {
    return await steal(engine, wall, decoys, { ...LIMITS, memoryBytes: MEMORY_BYTES })
  } catch (error) {
    if (!(error instanceof EngineError) || (error.code !== 'UNSUPPORTED_BY_HOST' && error.code !== 'NOT_BUILT')) throw error
    return { ...(await steal(engine, wall, decoys, LIMITS)), note: messageOf(error) }
  }
}

async function steal(engine: Engine, wall: Wall, decoys: Decoys, limits: Limits): Promise<Theft> {
  const { parseThiefReport } = await import('#images')
  await decoys.reset()
  const startMs = performance.now()
  const command = decoys.errand('/scratch')
  await using container = await engine.containers.create({ image: 'thief', command, runtime: wall, limits, autoRemove: true })
  const output = text(container.stdout)
  container.stderr?.resume()
  await container.start()
  await container.wait()
  const durationMs = performance.now() - startMs
  const receipt = await container.receipt()
  return { ...noTheft(wall), report: parseThiefReport(await output), durationMs, traces: await decoys.traces(), receipt }
}

function noTheft(wall: Theft['wall']): Theft {
  return { wall, report: null, absent: null, durationMs: 0, traces: null, receipt: null, note: null }
}

function sentenceOf(error: EngineError): string {
  return [messageOf(error).replace(/\.?$/, '.'), error.hint ?? ''].join(' ').trim()
}
