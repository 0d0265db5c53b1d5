/** Flags of `run` and `create` about a container's life: how it is stopped, started again, looked after, and where its output is kept. */
import type { Command } from 'commander'
import type { CreateOptions } from '../container/options.js'
import type { HealthCheck, LogSettings, RestartPolicy } from '../container/settings.js'
import { parseBytes } from '../engine/words.js'
import { EngineError } from '../errors.js'
import type { CliOptions } from './command.js'
import { durationOf } from './duration.js'
import { invalidFlag } from './invalid-flag.js'
import { UsageError } from './report.js'

const collect = (value: string, before: readonly string[] | undefined) => [...(before ?? []), value]

/** Docker's names of how a policy is written. */
const RESTART_HINT = 'There are no, always, unless-stopped, on-failure and on-failure:TIMES.'
const LOG_HINT = 'There are json-file, with --log-opt max-size=10m and max-file=3, and none.'
const INT32_MAX = 2 ** 31 - 1

/** Adds them. */
export function addLifeFlags(parser: Command): void {
  parser
    .option('--cidfile <file>', "write the container's id to a file that does not exist yet")
    .option('--health-cmd <command>', 'a shell command that finds out whether it is healthy')
    .option('--health-interval <duration>', "between two checks; the image's, else 30s")
    .option('--health-retries <n>', "failures in a row that make it unhealthy; the image's, else 3")
    .option('--health-start-period <duration>', 'from the start: failures in it do not count')
    .option('--health-timeout <duration>', "a check that takes longer has failed; the image's, else 30s")
    .option('--log-driver <json-file|none>', 'where its output is kept: in a file for `wolffia logs`, or nowhere')
    .option('--log-opt <NAME=VALUE>', 'max-size=10m, max-file=3', collect)
    .option('--no-healthcheck', "no check of its health, whatever the image's is")
    .option('--restart <policy>', 'start it again after its end: no, always, unless-stopped, on-failure[:times]')
    .option('--stop-signal <signal>', "what asks it to end; the image's, else SIGTERM")
    .option('--stop-timeout <seconds>', 'how long it then has before SIGKILL; 10 unless said, -1 is without end')
}

/** What they ask the engine for. Throws INVALID_ARGUMENT. */
export function lifeOptions(options: CliOptions): Pick<CreateOptions, 'restart' | 'stopSignal' | 'stopTimeoutSeconds' | 'health' | 'log'> {
  const text = (name: string) => (options[name] as string | undefined) || undefined
  const restart = text('restart')
  const stopSignal = text('stopSignal')
  const stopTimeout = text('stopTimeout')
  const health = healthOf(options)
  return {
    log: logOf(text('logDriver'), (options.logOpt as readonly string[] | undefined) ?? []),
    ...(restart === undefined ? {} : { restart: restartPolicyOf(restart) }),
    ...(stopSignal === undefined ? {} : { stopSignal }),
    ...(stopTimeout === undefined ? {} : { stopTimeoutSeconds: secondsOf(stopTimeout, '--stop-timeout') }),
    ...(health === undefined ? {} : { health }),
  }
}

/** `no`, `always`, `unless-stopped`, `on-failure`, `on-failure:5`. Throws INVALID_ARGUMENT. */
export function restartPolicyOf(text: string): RestartPolicy {
  const [name = '', count, ...rest] = text.split(':')
  const isKnown = name === 'no' || name === 'always' || name === 'unless-stopped' || name === 'on-failure'
  if (!isKnown || rest.length > 0)
    throw new EngineError('INVALID_ARGUMENT', `invalid restart policy: unknown policy '${text}'`, { hint: RESTART_HINT })
  if (count === undefined) return { name, maximumRetryCount: 0 }
  if (name !== 'on-failure')
    throw new EngineError('INVALID_ARGUMENT', `invalid restart policy: ${text}: maximum retry count can only be used with 'on-failure'`, {
      hint: RESTART_HINT,
    })
  if (!/^\d{1,9}$/.test(count))
    throw new EngineError('INVALID_ARGUMENT', `invalid restart policy format: ${text}: maximum retry count must be a number`, {
      hint: RESTART_HINT,
    })
  return { name, maximumRetryCount: Number(count) }
}

/** Whole seconds, negative ones without end. Throws a UsageError. */
export function secondsOf(text: string, flag: string): number {
  const seconds = Number(text)
  if (/^-?\d+$/.test(text) && Math.abs(seconds) <= INT32_MAX) return seconds
  throw new UsageError(`invalid argument "${text}" for "${flag}" flag: not a whole number of seconds`, { exitCode: 125 })
}

function healthOf(options: CliOptions): Partial<HealthCheck> | null | undefined {
  const given = (name: string) => options[name] as string | undefined
  const command = given('healthCmd')
  const isOff = options.healthcheck === false
  const others = ['healthInterval', 'healthRetries', 'healthStartPeriod', 'healthTimeout'].filter((name) => given(name) !== undefined)
  if (isOff && (command !== undefined || others.length > 0))
    throw new EngineError('INVALID_ARGUMENT', '--no-healthcheck conflicts with --health-* options')
  if (isOff) return null
  if (!command && others.length === 0) return undefined
  const milliseconds = (part: keyof HealthCheck, name: string, flag: string) => {
    const text = given(name)
    return text === undefined ? {} : { [part]: durationOf(text, flag) }
  }
  const retries = given('healthRetries')
  if (retries !== undefined && !/^[1-9]\d{0,8}$/.test(retries))
    throw invalidFlag(retries, '--health-retries', 'not a positive whole number', 'Write --health-retries 3.')
  return {
    ...(command ? { test: ['/bin/sh', '-c', command] } : {}),
    ...milliseconds('intervalMs', 'healthInterval', '--health-interval'),
    ...milliseconds('timeoutMs', 'healthTimeout', '--health-timeout'),
    ...milliseconds('startPeriodMs', 'healthStartPeriod', '--health-start-period'),
    ...(retries === undefined ? {} : { retries: Number(retries) }),
  }
}

function logOf(driver = 'json-file', settings: readonly string[]): LogSettings {
  if (driver !== 'json-file' && driver !== 'none') {
    const isDockers = /^(local|syslog|journald|gelf|fluentd|awslogs|splunk|etwlogs|gcplogs)$/.test(driver)
    throw new EngineError(
      isDockers ? 'NOT_BUILT' : 'INVALID_ARGUMENT',
      `--log-driver ${driver} ${isDockers ? 'is not built yet' : 'is none'}`,
      {
        hint: LOG_HINT,
      },
    )
  }
  let maximumBytes: number | null = null
  let files = 1
  for (const setting of settings) {
    const [name, value = ''] = setting.split('=', 2)
    const bytes = parseBytes(value)
    if (name === 'max-size' && bytes !== null && bytes > 0) maximumBytes = bytes
    else if (name === 'max-file' && /^[1-9]\d{0,2}$/.test(value)) files = Number(value)
    else if (name === 'max-size' || name === 'max-file')
      throw new EngineError('INVALID_ARGUMENT', `invalid argument "${setting}" for "--log-opt" flag`, { hint: LOG_HINT })
    else throw new EngineError('INVALID_ARGUMENT', `unknown log opt '${name}' for json-file log driver`, { hint: LOG_HINT })
  }
  if (settings.length > 0 && driver === 'none')
    throw new EngineError('INVALID_ARGUMENT', '--log-opt is for --log-driver json-file', { hint: LOG_HINT })
  if (files > 1 && maximumBytes === null)
    throw new EngineError('INVALID_ARGUMENT', 'max-file cannot be more than 1 without max-size', { hint: LOG_HINT })
  return { driver, maximumBytes, files }
}
