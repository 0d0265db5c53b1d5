import { EngineError } from '../errors.js'
import type { ContainerConfig } from '../oci/image-spec.js'
import { signalName, signalNumber } from '../runtime/running-task.js'
import type { CreateOptions } from './options.js'

/** When a container is started again after its end, in docker's words. */
export interface RestartPolicy {
  readonly name: 'no' | 'always' | 'unless-stopped' | 'on-failure'
  /** Of `on-failure`: how often; 0 is without end. */
  readonly maximumRetryCount: number
}

/** How a container's health is found out, in docker's words. */
export interface HealthCheck {
  /** Program and arguments. */
  readonly test: readonly string[]
  /** From the start to the first check, and from the end of one to the next. */
  readonly intervalMs: number
  /** A check that takes longer has failed. */
  readonly timeoutMs: number
  /** From the start: failures in it do not count. */
  readonly startPeriodMs: number
  /** So many failures in a row make it unhealthy. */
  readonly retries: number
}

/** Where a container's output is kept. */
export interface LogSettings {
  readonly driver: 'json-file' | 'none'
  /** A file that would grow larger is turned over; null for never. */
  readonly maximumBytes: number | null
  /** How many are kept. */
  readonly files: number
}

/** What is settled about a container besides what its wall is asked for. */
export interface ContainerSettings {
  readonly openStdin: boolean
  /** Stdin ends with the first caller that has no more to say. */
  readonly stdinOnce: boolean
  /** What asks it to end. */
  readonly stopSignal: NodeJS.Signals
  /** How long it then has; negative is without end. */
  readonly stopTimeoutSeconds: number
  readonly restart: RestartPolicy
  readonly health: HealthCheck | null
  readonly log: LogSettings
  /** Aspects of the receipt that must be in force at each start. */
  readonly require: readonly string[]
}

/** Seconds that `stop` gives a guest to end by itself. */
export const STOP_TIMEOUT_SECONDS = 10

const NO_RESTART: RestartPolicy = { name: 'no', maximumRetryCount: 0 }
const NO_LOG: LogSettings = { driver: 'none', maximumBytes: null, files: 1 }
const NANOSECONDS_PER_MS = 1e6
/** What Node's timers and the launcher's wait for at the most, 24 days: beyond it Node waits a millisecond. */
const MAXIMUM_TIMER_MS = 2 ** 31 - 1
const HEALTH_DEFAULTS = { intervalMs: 30_000, timeoutMs: 30_000, startPeriodMs: 0, retries: 3 } as const

/** The image's defaults with the caller's options over them. Throws INVALID_ARGUMENT. */
export function containerSettings(options: CreateOptions, image: ContainerConfig): ContainerSettings {
  const restart = options.restart ?? NO_RESTART
  if (restart.name !== 'no' && options.autoRemove === true)
    throw new EngineError(
      'INVALID_ARGUMENT',
      'conflicting options: --restart and --rm: what is removed at its end cannot be started again',
      {
        hint: 'Leave out --rm or --restart.',
      },
    )
  const openStdin = options.openStdin ?? false
  return {
    openStdin,
    stdinOnce: openStdin && options.keepStdin !== true,
    stopSignal: parseSignal(options.stopSignal ?? image.StopSignal ?? 'SIGTERM'),
    stopTimeoutSeconds: options.stopTimeoutSeconds ?? STOP_TIMEOUT_SECONDS,
    restart,
    health: options.health === null ? null : healthCheck({ ...partsOfImage(image), ...options.health }),
    log: options.log ?? NO_LOG,
    require: options.require ?? [],
  }
}

/** `SIGTERM` of `TERM`, `sigterm` or `15`. Throws INVALID_ARGUMENT for what is no signal here. */
export function parseSignal(text: string): NodeJS.Signals {
  const upper = text.toUpperCase()
  const name = (upper.startsWith('SIG') ? upper : `SIG${upper}`) as NodeJS.Signals
  const number = /^\d+$/.test(text) ? Number(text) : null
  const found = number === null ? name : signalName(number)
  if (found !== undefined && isSignal(found)) return found
  throw new EngineError('INVALID_ARGUMENT', `invalid signal: ${text}`, {
    data: { signal: text },
    hint: 'Name one as kill(1) does: TERM, SIGHUP, 9. Real-time signals cannot be sent.',
  })
}

function isSignal(name: NodeJS.Signals): boolean {
  try {
    return signalNumber(name) > 0
  } catch {
    return false
  }
}

/** What an image says of its health; 0 is nothing said, as with docker. */
function partsOfImage({ Healthcheck: check = {} }: ContainerConfig): Partial<HealthCheck> {
  const { Test: test, Retries: retries } = check
  const milliseconds = (name: 'intervalMs' | 'timeoutMs' | 'startPeriodMs', value: unknown) =>
    typeof value === 'number' && value > 0
      ? { [name]: Math.min(MAXIMUM_TIMER_MS, Math.max(1, Math.round(value / NANOSECONDS_PER_MS))) }
      : {}
  const [kind, ...words] = Array.isArray(test) && test.every((word) => typeof word === 'string') ? (test as string[]) : []
  return {
    ...(words.length === 0 || kind === 'NONE' ? {} : { test: kind === 'CMD-SHELL' ? ['/bin/sh', '-c', words.join(' ')] : words }),
    ...milliseconds('intervalMs', check.Interval),
    ...milliseconds('timeoutMs', check.Timeout),
    ...milliseconds('startPeriodMs', check.StartPeriod),
    ...(typeof retries === 'number' && retries > 0 ? { retries } : {}),
  }
}

function healthCheck({ test, ...parts }: Partial<HealthCheck>): HealthCheck | null {
  return test === undefined ? null : { ...HEALTH_DEFAULTS, ...parts, test }
}

/** The same in an image's config. */
export function healthcheckOf({ test, intervalMs, timeoutMs, startPeriodMs, retries }: HealthCheck): Readonly<Record<string, unknown>> {
  const isShell = test.length === 3 && test[0] === '/bin/sh' && test[1] === '-c'
  return {
    Test: isShell ? ['CMD-SHELL', test[2]] : ['CMD', ...test],
    Interval: intervalMs * NANOSECONDS_PER_MS,
    Timeout: timeoutMs * NANOSECONDS_PER_MS,
    StartPeriod: startPeriodMs * NANOSECONDS_PER_MS,
    Retries: retries,
  }
}
