/**
 * What a sandbox says, read as what it must be: whoever has broken out of V8 there says whatever it likes, and must not be able to make a
 * failure look like a success, or the supervisor stumble over it.
 */
import { constants } from 'node:os'
import { type ErrorCode, RUN_EXIT_CODES } from '../errors.js'
import type { ExitReason } from '../runtime/exit.js'
import type { WasmEvidence } from '../runtime/receipt.js'
import type { SandboxEvent } from './sandbox/protocol.js'

type Members = Readonly<Record<string, unknown>>

const REASONS: ReadonlySet<unknown> = new Set<ExitReason>([
  'exited',
  'signaled',
  'timeout',
  'out-of-memory',
  'out-of-fuel',
  'limit',
  'diverged',
])

/** The event in a line, with the members that it has and no others; null for anything else. */
export function parseEvent(line: string): SandboxEvent | null {
  let said: unknown
  try {
    said = JSON.parse(line)
  } catch {
    return null
  }
  if (!isObject(said)) return null
  switch (said.event) {
    case 'ready':
      return readReady(said)
    case 'warm':
      return { event: 'warm' }
    case 'started':
      return { event: 'started' }
    case 'failed':
      return readFailed(said)
    case 'exited':
      return readExited(said)
    default:
      return null
  }
}

function readReady({ evidence }: Members): SandboxEvent | null {
  if (!isObject(evidence)) return null
  const {
    engine,
    v8,
    moduleDigest,
    imports,
    memoryPagesMaximum,
    tableElementsMaximum,
    threadsMaximum,
    instrumented,
    preopens,
    environment,
  } = evidence
  const isWhole =
    [engine, v8, moduleDigest].every(isString) &&
    [memoryPagesMaximum, tableElementsMaximum, threadsMaximum].every(isCount) &&
    (instrumented === undefined || (Array.isArray(instrumented) && instrumented.every(isString))) &&
    [imports, preopens, environment].every((list) => Array.isArray(list) && list.every(isString))
  if (!isWhole) return null
  const read = {
    engine,
    v8,
    moduleDigest,
    imports,
    memoryPagesMaximum,
    tableElementsMaximum,
    threadsMaximum,
    ...(instrumented === undefined ? {} : { instrumented }),
    preopens,
    environment,
  }
  return { event: 'ready', evidence: read as WasmEvidence }
}

function readFailed({ code, message, hint, data }: Members): SandboxEvent | null {
  if (!isString(code) || !Object.hasOwn(RUN_EXIT_CODES, code) || !isString(message) || !isObject(data)) return null
  if (hint !== undefined && !isString(hint)) return null
  return { event: 'failed', code: code as ErrorCode, message, data, ...(hint === undefined ? {} : { hint }) }
}

function readExited({ exitCode, signal, reason, detail, fuelLeft, durationMs, upperWhole }: Members): SandboxEvent | null {
  if (!isCount(exitCode) || exitCode > 255 || typeof upperWhole !== 'boolean' || !REASONS.has(reason)) return null
  if (typeof durationMs !== 'number' || !(durationMs >= 0)) return null
  if (signal !== undefined && !(isString(signal) && Object.hasOwn(constants.signals, signal))) return null
  if (detail !== undefined && !isString(detail)) return null
  if (fuelLeft !== undefined && !isCount(fuelLeft)) return null
  return {
    event: 'exited',
    exitCode,
    ...(signal === undefined ? {} : { signal: signal as NodeJS.Signals }),
    reason: reason as ExitReason,
    ...(detail === undefined ? {} : { detail }),
    ...(fuelLeft === undefined ? {} : { fuelLeft }),
    durationMs,
    upperWhole,
  }
}

function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isString(value: unknown): value is string {
  return typeof value === 'string'
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
