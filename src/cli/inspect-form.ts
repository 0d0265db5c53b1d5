import type { Container } from '../container/container.js'
import type { ImageDetails } from '../engine/image-summary.js'
import { EngineError } from '../errors.js'
import type { DeviceRate } from '../runtime/resources.js'
import type { ContainerSpec, PrivilegeSpec } from '../runtime/spec.js'

/**
 * A container in the words of `GET /containers/{id}/json`, with wolffia's own under `Wolffia`. `imageEntrypoint` is its image's, which
 * tells where the entrypoint ends and the command begins; empty when that image is gone.
 */
export async function inspectContainer(container: Container, imageEntrypoint: readonly string[]): Promise<object> {
  const { status, exit, pid, createdAt, startedAt, finishedAt, command, labels, autoRemove, restartCount } = container.summary()
  const { spec, image, settings } = container
  const receipt = await container.receipt().catch((error: unknown) => {
    if (error instanceof EngineError) return null
    throw error
  })
  const hasEntrypoint = imageEntrypoint.length > 0 && imageEntrypoint.every((word, at) => command[at] === word)
  const cmd = hasEntrypoint ? command.slice(imageEntrypoint.length) : command
  return {
    Id: container.id,
    Created: createdAt.toISOString(),
    Path: command[0] ?? '',
    Args: command.slice(1),
    State: {
      Status: status,
      // As docker: one that is paused, or about to be started again, runs.
      Running: ['running', 'paused', 'restarting'].includes(status),
      Paused: status === 'paused',
      Restarting: status === 'restarting',
      OOMKilled: exit?.reason === 'out-of-memory',
      Dead: status === 'dead',
      Pid: pid ?? 0,
      ExitCode: exit?.exitCode ?? 0,
      Error: exit?.detail ?? '',
      StartedAt: startedAt?.toISOString() ?? '0001-01-01T00:00:00Z',
      FinishedAt: finishedAt?.toISOString() ?? '0001-01-01T00:00:00Z',
      ...healthOf(container),
    },
    Image: image.id,
    LogPath: container.logPath ?? '',
    Name: `/${container.name}`,
    RestartCount: restartCount,
    Platform: image.platform.os,
    HostConfig: {
      LogConfig: {
        Type: settings.log.driver,
        Config: {
          ...(settings.log.files === 1 ? {} : { 'max-file': String(settings.log.files) }),
          ...(settings.log.maximumBytes === null ? {} : { 'max-size': String(settings.log.maximumBytes) }),
        },
      },
      RestartPolicy: { Name: settings.restart.name, MaximumRetryCount: settings.restart.maximumRetryCount },
      AutoRemove: autoRemove,
      Binds: spec.mounts.flatMap((mount) => {
        const source = mount.type === 'bind' ? mount.source : mount.type === 'volume' && !mount.anonymous ? mount.name : null
        return source === null ? [] : [`${source}:${mount.destination}${mount.readonly ? ':ro' : ''}`]
      }),
      NetworkMode: spec.network.mode,
      PidsLimit: spec.limits.pids ?? null,
      ...resourcesOf(spec),
      ReadonlyRootfs: spec.readonlyRootfs,
      ...privilegesOf(spec.privileges ?? {}),
      Runtime: container.runtime,
      ...(spec.wasiEngine === undefined ? {} : { WasiEngine: spec.wasiEngine }),
      ...(Object.keys(spec.annotations).length === 0 ? {} : { Annotations: spec.annotations }),
    },
    Mounts: spec.mounts.map((mount) => ({
      Type: mount.type,
      ...(mount.type === 'volume' ? { Name: mount.name, Driver: 'local' } : {}),
      Source: mount.type === 'tmpfs' || mount.type === 'fs' ? '' : mount.source,
      Destination: mount.destination,
      Mode: mount.type === 'bind' && mount.readonly ? 'ro' : '',
      RW: !mount.readonly,
      Propagation: mount.type === 'bind' ? 'rprivate' : '',
    })),
    NetworkSettings: networkOf(spec),
    Config: {
      Hostname: spec.hostname,
      User: `${spec.process.user.uid}:${spec.process.user.gid}`,
      Tty: spec.process.terminal,
      OpenStdin: settings.openStdin,
      StdinOnce: settings.stdinOnce,
      StopSignal: settings.stopSignal,
      StopTimeout: settings.stopTimeoutSeconds,
      ...(settings.health === null ? {} : { Healthcheck: container.committedConfig({}).Healthcheck }),
      Env: spec.process.env,
      Cmd: cmd.length > 0 ? cmd : null,
      Entrypoint: hasEntrypoint ? imageEntrypoint : null,
      Image: image.reference,
      WorkingDir: spec.process.cwd,
      Labels: labels,
    },
    Wolffia: { Exit: exit, Limits: spec.limits, Receipt: receipt },
  }
}

/** As docker has it of the networks none and host: no container has an address or a published port of its own. */
function networkOf({ network }: ContainerSpec): object {
  const address = { Gateway: '', IPAddress: '', IPPrefixLen: 0, MacAddress: '' }
  return { Ports: {}, ...address, Networks: { [network.mode]: address } }
}

/** As docker has them: 0, null and the empty string are what was not said. */
function resourcesOf({ limits, resources = {} }: ContainerSpec): object {
  const rates = (devices: readonly DeviceRate[] | undefined) => devices?.map(({ path, rate }) => ({ Path: path, Rate: rate })) ?? null
  return {
    Memory: limits.memoryBytes ?? 0,
    MemorySwap: resources.memorySwapBytes ?? 0,
    MemoryReservation: resources.memoryReservationBytes ?? 0,
    MemorySwappiness: resources.memorySwappiness ?? null,
    OomKillDisable: resources.oomKillDisable ?? false,
    OomScoreAdj: resources.oomScoreAdjust ?? 0,
    NanoCpus: resources.cpuQuotaUs === undefined ? Math.round((limits.cpus ?? 0) * 1e9) : 0,
    CpuShares: resources.cpuShares ?? 0,
    CpuPeriod: resources.cpuPeriodUs ?? 0,
    CpuQuota: resources.cpuQuotaUs ?? 0,
    CpusetCpus: resources.cpusetCpus ?? '',
    CpusetMems: resources.cpusetMems ?? '',
    BlkioWeight: resources.blockWeight ?? 0,
    BlkioWeightDevice: resources.deviceWeights?.map(({ path, weight }) => ({ Path: path, Weight: weight })) ?? [],
    BlkioDeviceReadBps: rates(resources.deviceReadBytes),
    BlkioDeviceWriteBps: rates(resources.deviceWriteBytes),
    BlkioDeviceReadIOps: rates(resources.deviceReadOperations),
    BlkioDeviceWriteIOps: rates(resources.deviceWriteOperations),
    ShmSize: resources.sharedMemoryBytes ?? 64 * 1024 * 1024,
    Ulimits: Object.entries(resources.ulimits ?? {}).map(([name, { soft, hard }]) => ({ Name: name, Soft: soft, Hard: hard })),
  }
}

/** As docker has them. */
function privilegesOf(privileges: PrivilegeSpec): object {
  const { capAdd = [], capDrop = [], devices = [], seccomp, sysctls, noNewPrivileges, systemPaths } = privileges
  const isPrivileged = privileges.privileged === true
  const named = (name: string) => (name === 'ALL' ? name : `CAP_${name}`)
  const securityOptions = [
    ...(seccomp === undefined || (isPrivileged && seccomp === 'unconfined')
      ? []
      : [`seccomp=${seccomp === 'unconfined' ? seccomp : seccomp.source}`]),
    ...(noNewPrivileges === false && !isPrivileged ? ['no-new-privileges=false'] : []),
    ...(systemPaths === undefined || isPrivileged ? [] : [`systempaths=${systemPaths}`]),
  ]
  return {
    Privileged: isPrivileged,
    CapAdd: isPrivileged || capAdd.length === 0 ? null : capAdd.map(named),
    CapDrop: capDrop.length === 0 ? null : capDrop.map(named),
    SecurityOpt: securityOptions.length === 0 ? null : securityOptions,
    Devices: devices.map(({ source, destination }) => ({ PathOnHost: source, PathInContainer: destination, CgroupPermissions: 'rwm' })),
    ...(sysctls === undefined ? {} : { Sysctls: sysctls }),
    IpcMode: privileges.ipc ?? 'private',
    UTSMode: privileges.uts ?? '',
    CgroupnsMode: privileges.cgroupns ?? 'private',
    UsernsMode: privileges.keepId === undefined ? '' : `keep-id:uid=${privileges.keepId.uid},gid=${privileges.keepId.gid}`,
    PidMode: '',
  }
}

function healthOf(container: Container): object {
  const health = container.health()
  if (health === null) return {}
  const log = health.log.map(({ start, end, exitCode, output }) => ({ Start: start, End: end, ExitCode: exitCode, Output: output }))
  return { Health: { Status: health.status, FailingStreak: health.failingStreak, Log: log } }
}

/** An image in the words of `GET /images/{name}/json`, with all its platforms under `Wolffia`. */
export function inspectImage(image: ImageDetails): object {
  const { process, containerConfig } = image
  const { ExposedPorts = {}, Volumes = {}, StopSignal = '', OnBuild = null, Healthcheck, Shell } = containerConfig
  const repositories = new Set(image.references.map((reference) => reference.replace(/@.*$/, '').replace(/:[^:/]*$/, '')))
  return {
    Id: image.id,
    RepoTags: image.references.filter((reference) => !reference.includes('@')),
    RepoDigests: [...repositories].map((repository) => `${repository}@${image.id}`),
    Comment: image.comment,
    Created: image.createdAt?.toISOString() ?? '0001-01-01T00:00:00Z',
    Author: image.author,
    Config: {
      User: process.user,
      ExposedPorts,
      Env: process.env,
      Entrypoint: process.entrypoint.length > 0 ? process.entrypoint : null,
      Cmd: process.cmd.length > 0 ? process.cmd : null,
      ...(Healthcheck === undefined ? {} : { Healthcheck }),
      Volumes,
      WorkingDir: process.workingDir,
      OnBuild,
      Labels: process.labels,
      StopSignal,
      ...(Shell === undefined ? {} : { Shell }),
    },
    Architecture: image.platform.architecture,
    ...(image.platform.variant === undefined ? {} : { Variant: image.platform.variant }),
    Os: image.platform.os,
    Size: image.sizeBytes,
    RootFS: { Type: 'layers', Layers: image.diffIds },
    Wolffia: { Manifest: image.manifest, Config: image.config, Platforms: image.platforms },
  }
}
