import type { Command } from 'commander'
import { parseBytes, ULIMITS } from '../engine/words.js'
import type { DeviceRate, DeviceWeight, ResourceSpec, Ulimit, UlimitName } from '../runtime/resources.js'
import type { CliOptions } from './command.js'
import { invalidFlag } from './invalid-flag.js'

const collect = (value: string, before: readonly string[] | undefined) => [...(before ?? []), value]

/** Adds the flags about how a container shares the host with others. */
export function addResourceFlags(parser: Command): void {
  addUpdatableFlags(parser)
  addSized(parser)
  parser
    .option('--blkio-weight-device <path:weight>', 'its weight among others who want that disk: /dev/sda:200', collect)
    .option('--device-read-bps <path:bytes>', 'bytes a second that are read from a disk at most: /dev/sda:1m', collect)
    .option('--device-read-iops <path:n>', 'reads a second from a disk at most', collect)
    .option('--device-write-bps <path:bytes>', 'bytes a second that are written to a disk at most', collect)
    .option('--device-write-iops <path:n>', 'writes a second to a disk at most', collect)
    .option('--memory-swappiness <n>', 'how readily its memory is swapped out: 0 to 100')
    .option('--oom-kill-disable', 'who needs more memory than there is waits, and is not ended')
    .option('--oom-score-adj <n>', 'how soon it ends when the host is out of memory: -1000 to 1000; 500 unless said')
}

/** Those that the containers of a build have. */
export function addBuildResourceFlags(parser: Command): void {
  addProcessorFlags(parser)
  addSized(parser)
  parser.option('-m, --memory <bytes>', 'memory at most of every RUN: 64m, 1g')
}

function addSized(parser: Command): void {
  parser
    .option('--shm-size <bytes>', 'size of /dev/shm; 64m unless said')
    .option('--ulimit <type=soft[:hard]>', 'a limit of setrlimit(2): nofile=1024:4096, stack=-1', collect)
}

/** Those of them that `update` has, too. */
export function addUpdatableFlags(parser: Command): void {
  addProcessorFlags(parser)
  parser
    .option('--blkio-weight <n>', 'its weight among others who want the disk: 10 to 1000')
    .option('--memory-reservation <bytes>', 'memory that is left to it when the host is short of it')
}

function addProcessorFlags(parser: Command): void {
  parser
    .option('--cpu-period <microseconds>', 'in which it has its --cpu-quota once: 1000 to 1000000')
    .option('--cpu-quota <microseconds>', 'processor time in each period')
    .option('-c, --cpu-shares <n>', 'its weight among others who want processors; 1024 is usual')
    .option('--cpuset-cpus <list>', 'processors it may run on: 0-2,4')
    .option('--cpuset-mems <list>', 'memory nodes it may take memory from: 0,1')
    .option('--memory-swap <bytes>', 'memory and swap together; -1 is without limit')
}

/** What those flags ask for; as docker, 0 is nothing asked for. Throws INVALID_ARGUMENT. */
export function resourceOptions(options: CliOptions): ResourceSpec {
  const text = (name: string) => (options[name] as string | undefined) || undefined
  const list = (name: string) => (options[name] as readonly string[] | undefined) ?? []
  const rates = (name: string, flag: string, parse: (rate: string) => number | null) =>
    list(name).length === 0 ? undefined : list(name).map((given) => rateOf(given, flag, parse))
  const ulimits = list('ulimit').map(ulimitOf)
  const swap = text('memorySwap')
  const swappiness = wholeOf(text('memorySwappiness'), '--memory-swappiness')
  const members = {
    ulimits: ulimits.length === 0 ? undefined : Object.fromEntries(ulimits),
    sharedMemoryBytes: bytesOf(text('shmSize'), '--shm-size'),
    oomScoreAdjust: wholeOf(text('oomScoreAdj'), '--oom-score-adj'),
    memorySwapBytes: swap === '-1' ? -1 : bytesOf(swap, '--memory-swap'),
    memoryReservationBytes: bytesOf(text('memoryReservation'), '--memory-reservation'),
    memorySwappiness: swappiness === -1 ? undefined : swappiness,
    oomKillDisable: options.oomKillDisable === true ? true : undefined,
    cpuShares: wholeOf(text('cpuShares'), '-c, --cpu-shares') || undefined,
    cpuPeriodUs: wholeOf(text('cpuPeriod'), '--cpu-period') || undefined,
    cpuQuotaUs: quotaOf(text('cpuQuota')),
    cpusetCpus: numbersOf(text('cpusetCpus'), '--cpuset-cpus'),
    cpusetMems: numbersOf(text('cpusetMems'), '--cpuset-mems'),
    blockWeight: wholeOf(text('blkioWeight'), '--blkio-weight') || undefined,
    deviceWeights: list('blkioWeightDevice').length === 0 ? undefined : list('blkioWeightDevice').map(weightOf),
    deviceReadBytes: rates('deviceReadBps', '--device-read-bps', parseBytes),
    deviceWriteBytes: rates('deviceWriteBps', '--device-write-bps', parseBytes),
    deviceReadOperations: rates('deviceReadIops', '--device-read-iops', parseCount),
    deviceWriteOperations: rates('deviceWriteIops', '--device-write-iops', parseCount),
  }
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as ResourceSpec
}

function quotaOf(text: string | undefined): number | undefined {
  const quota = wholeOf(text, '--cpu-quota')
  return quota === 0 || quota === -1 ? undefined : quota
}

/** As docker, one value is both. */
function ulimitOf(text: string): readonly [name: UlimitName, ulimit: Ulimit] {
  const [, name = '', values = ''] = /^([^=]*)=(.*)$/s.exec(text) ?? []
  if (name === '' || values === '')
    throw invalidFlag(text, '--ulimit', `invalid ulimit argument: ${text}`, 'Write nofile=1024 or nofile=1024:4096.')
  if (!Object.hasOwn(ULIMITS, name))
    throw invalidFlag(text, '--ulimit', `invalid ulimit type: ${name}`, `There are ${Object.keys(ULIMITS).join(', ')}.`)
  const parts = values.split(':')
  if (parts.length > 2) throw invalidFlag(text, '--ulimit', 'too many limit value arguments, can only have up to two, `soft[:hard]`')
  const [soft = 0, hard = soft] = parts.map((part) => {
    if (/^(-1|\d+)$/.test(part) && Number.isSafeInteger(Number(part))) return Number(part)
    throw invalidFlag(
      text,
      '--ulimit',
      `not a whole number: ${JSON.stringify(part)}`,
      'Units are those of setrlimit(2); -1 is without limit.',
    )
  })
  return [name as UlimitName, { soft, hard }]
}

function rateOf(text: string, flag: string, parse: (rate: string) => number | null): DeviceRate {
  const [, path = '', written = ''] = /^(.*):([^:]*)$/s.exec(text) ?? []
  if (!path.startsWith('/dev/')) throw invalidFlag(text, flag, 'bad format for device path', 'Write /dev/sda:RATE.')
  const rate = parse(written)
  if (rate === null || rate === 0) throw invalidFlag(text, flag, 'invalid rate for device', 'The rate must be a positive number.')
  return { path, rate }
}

function weightOf(text: string): DeviceWeight {
  const { path, rate } = rateOf(text, '--blkio-weight-device', parseCount)
  return { path, weight: rate }
}

function parseCount(text: string): number | null {
  return /^\d+$/.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : null
}

function wholeOf(text: string | undefined, flag: string): number | undefined {
  if (text === undefined) return undefined
  if (/^-?\d+$/.test(text) && Number.isSafeInteger(Number(text))) return Number(text)
  throw invalidFlag(text, flag, 'not a whole number')
}

function bytesOf(text: string | undefined, flag: string): number | undefined {
  if (text === undefined) return undefined
  const bytes = parseBytes(text)
  if (bytes === null) throw invalidFlag(text, flag, 'not a size', 'Write bytes with a unit: 512k, 64m, 1g.')
  return bytes === 0 ? undefined : bytes
}

/** A list as cpuset(7) has them, of no number that could not be one of a processor's. */
function numbersOf(text: string | undefined, flag: string): string | undefined {
  if (text === undefined) return undefined
  const parts = text.split(',').map((part) => /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part))
  if (parts.every((part) => part !== null && Number(part[1]) <= Number(part[2] ?? part[1]))) return text
  throw invalidFlag(text, flag, 'not a list of numbers', 'Write 0-2,4.')
}
