import type { Readable } from 'node:stream'
import { messageOf } from '../errors.js'
import type { HealthStatus } from './container.js'
import type { Exec } from './exec.js'
import type { HealthCheck } from './settings.js'

/** File of the container's folder that says what checks have said. */
export const HEALTH_FILE = 'health.json'

/** What checks of a container's health have said since its start, in docker's words. */
export interface HealthState {
  readonly status: HealthStatus
  /** Failures in a row. */
  readonly failingStreak: number
  /** The last ones, oldest first. */
  readonly log: readonly HealthResult[]
}

/** One check. */
export interface HealthResult {
  /** RFC 3339. */
  readonly start: string
  readonly end: string
  /** 0 is healthy; -1 for one that took too long or could not be made. */
  readonly exitCode: number
  readonly output: string
}

/** As docker keeps them. */
const LAST_RESULTS = 5
const OUTPUT_BYTES = 4096

/** Before the first check. */
export const STARTING: HealthState = { status: 'starting', failingStreak: 0, log: [] }

/** What a container's file says; before its first check that it is starting. */
export function parseHealth(text: string | null): HealthState {
  try {
    const state: HealthState = JSON.parse(text ?? '')
    return ['starting', 'healthy', 'unhealthy'].includes(state.status) && Array.isArray(state.log) ? state : STARTING
  } catch {
    return STARTING
  }
}

/** What one more check makes of it, by docker's rules: failures while it starts do not count, and one success makes it healthy. */
export function afterCheck(
  { status, failingStreak, log }: HealthState,
  result: HealthResult,
  { check, startedMs }: { readonly check: HealthCheck; readonly startedMs: number },
): HealthState {
  const kept = [...log, result].slice(-LAST_RESULTS)
  if (result.exitCode === 0) return { status: 'healthy', failingStreak: 0, log: kept }
  const isStarting = status === 'starting' && Date.parse(result.start) - startedMs < check.startPeriodMs
  if (isStarting) return { status, failingStreak, log: kept }
  const failures = failingStreak + 1
  return { status: failures >= check.retries ? 'unhealthy' : status, failingStreak: failures, log: kept }
}

/** Makes a check. One that takes too long is killed. */
export async function makeCheck(exec: Exec, { timeoutMs }: HealthCheck): Promise<HealthResult> {
  const start = new Date().toISOString()
  const result = (exitCode: number, output: string) => ({ start, end: new Date().toISOString(), exitCode, output })
  let timer: NodeJS.Timeout | undefined
  try {
    await exec.prepare()
    const output = Promise.all([head(exec.stdout), head(exec.stderr)])
    await exec.start()
    const late = new Promise<null>((resolve) => {
      timer = setTimeout(() => resolve(null), timeoutMs)
    })
    const ended = await Promise.race([exec.wait(), late])
    if (ended === null) {
      await exec.kill('SIGKILL')
      return result(-1, `Health check exceeded timeout (${timeoutMs / 1000}s)`)
    }
    return result(ended.exitCode, (await output).join('').slice(0, OUTPUT_BYTES))
  } catch (error) {
    return result(-1, messageOf(error))
  } finally {
    clearTimeout(timer)
    await exec[Symbol.asyncDispose]()
  }
}

/** The beginning of a stream; the rest is read and forgotten, so that nobody waits to write it. */
async function head(stream: Readable | null): Promise<string> {
  let text = ''
  for await (const chunk of stream ?? []) if (text.length < OUTPUT_BYTES) text += String(chunk)
  return text
}
