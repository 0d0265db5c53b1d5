/** Limits of setrlimit(2) that a program can be started with, by docker's names, and how /proc/PID/limits calls them. */
export const ULIMITS = {
  core: 'Max core file size',
  cpu: 'Max cpu time',
  data: 'Max data size',
  fsize: 'Max file size',
  locks: 'Max file locks',
  memlock: 'Max locked memory',
  msgqueue: 'Max msgqueue size',
  nice: 'Max nice priority',
  nofile: 'Max open files',
  nproc: 'Max processes',
  rss: 'Max resident set',
  rtprio: 'Max realtime priority',
  rttime: 'Max realtime timeout',
  sigpending: 'Max pending signals',
  stack: 'Max stack size',
} as const

/** Name of a limit of setrlimit(2), as docker has it. */
export type UlimitName = keyof typeof ULIMITS

/** In the units of setrlimit(2): bytes, seconds, counts. -1 is without limit. */
export interface Ulimit {
  readonly soft: number
  readonly hard: number
}

/** How fast a disk may be read or written. */
export interface DeviceRate {
  /** Absolute path of the host's, of a whole disk. */
  readonly path: string
  /** Bytes, or operations, a second. */
  readonly rate: number
}

/** Its weight among others who want a disk. */
export interface DeviceWeight {
  /** Absolute path of the host's, of a whole disk. */
  readonly path: string
  /** 10 to 1000. */
  readonly weight: number
}

/**
 * How a container shares the host with others, besides its {@link Limits}, in docker's words. Absent: as it comes. What the host cannot hold is
 * an error that says what would enable it.
 */
export interface ResourceSpec {
  readonly ulimits?: Readonly<Partial<Record<UlimitName, Ulimit>>>
  /** Size of /dev/shm in bytes; 64 MiB unless said. */
  readonly sharedMemoryBytes?: number
  /** How soon the kernel ends it when the host is out of memory: -1000 to 1000; 500 unless said. */
  readonly oomScoreAdjust?: number
  /** Bytes of memory and swap together; -1 is without limit, as much again of swap as of memory unless said. */
  readonly memorySwapBytes?: number
  /** Bytes that are left to it when memory is short on the host. */
  readonly memoryReservationBytes?: number
  /** 0 to 100: how readily the kernel swaps its memory out. */
  readonly memorySwappiness?: number
  /** Who needs more memory than there is waits, and is not ended. */
  readonly oomKillDisable?: true
  /** Its weight among others who want processors; 1024 is usual. */
  readonly cpuShares?: number
  /** Microseconds in which it has its quota once; 100000 unless said. */
  readonly cpuPeriodUs?: number
  /** Microseconds of processor time in each period. */
  readonly cpuQuotaUs?: number
  /** Processors it may run on: `0-2,4`. */
  readonly cpusetCpus?: string
  /** Memory nodes it may take memory from: `0,1`. */
  readonly cpusetMems?: string
  /** 10 to 1000: its weight among others who want the disk. */
  readonly blockWeight?: number
  /** The same for single disks. */
  readonly deviceWeights?: readonly DeviceWeight[]
  readonly deviceReadBytes?: readonly DeviceRate[]
  readonly deviceWriteBytes?: readonly DeviceRate[]
  readonly deviceReadOperations?: readonly DeviceRate[]
  readonly deviceWriteOperations?: readonly DeviceRate[]
}

/** What asks for each. */
export const RESOURCE_FLAGS: Readonly<Record<keyof ResourceSpec, string>> = {
  ulimits: '--ulimit',
  sharedMemoryBytes: '--shm-size',
  oomScoreAdjust: '--oom-score-adj',
  memorySwapBytes: '--memory-swap',
  memoryReservationBytes: '--memory-reservation',
  memorySwappiness: '--memory-swappiness',
  oomKillDisable: '--oom-kill-disable',
  cpuShares: '--cpu-shares',
  cpuPeriodUs: '--cpu-period',
  cpuQuotaUs: '--cpu-quota',
  cpusetCpus: '--cpuset-cpus',
  cpusetMems: '--cpuset-mems',
  blockWeight: '--blkio-weight',
  deviceWeights: '--blkio-weight-device',
  deviceReadBytes: '--device-read-bps',
  deviceWriteBytes: '--device-write-bps',
  deviceReadOperations: '--device-read-iops',
  deviceWriteOperations: '--device-write-iops',
}
