/**
 * wolffia: runs OCI images without root and without a daemon, behind a wall you choose.
 *
 * @packageDocumentation
 */
export type { BuildEvent } from './build/progress.js'
export type {
  Container,
  ContainerImage,
  ContainerPathStat,
  ContainerSize,
  ContainerStatus,
  ContainerSummary,
  CopiedOut,
  CreatedContainer,
  HealthStatus,
  RemoveOptions,
  StartOptions,
  StopOptions,
  UpdateOptions,
  WaitCondition,
} from './container/container.js'
export type { ContainerFsOptions } from './container/container-fs.js'
export type { Exec, ExecOptions } from './container/exec.js'
export type { HealthResult, HealthState } from './container/health.js'
export type { EngineEvent } from './container/journal.js'
export type { LogEntry, LogOptions } from './container/logs.js'
export type { CreateOptions, ObjectMountRequest } from './container/options.js'
export type { PrivilegeOptions } from './container/privileges.js'
export type { ContainerSettings, HealthCheck, LogSettings, RestartPolicy } from './container/settings.js'
export type { ResourceUpdate } from './container/update.js'
export type { BuildOptions } from './engine/build-options.js'
export type { CheckOptions, CheckReport, Damage } from './engine/check.js'
export type { ContainerOptions, Containers, PrunedContainers } from './engine/containers.js'
export type { ContainerUsage, DiskUsageReport, ImageUsage, VolumeUsage } from './engine/disk-usage.js'
export type { Diagnosis } from './engine/doctor.js'
export { Engine, type EngineOptions, type EventOptions } from './engine/engine.js'
export type { HostCopied, HostCopyOptions } from './engine/host-copy.js'
export type { ImageFsOptions } from './engine/image-fs.js'
export type { ImageManifest, ImageManifests, ManifestOptions } from './engine/image-manifests.js'
export type { PullPolicy } from './engine/image-pulls.js'
export type { SearchOptions } from './engine/image-search.js'
export type {
  CommitOptions,
  ImageDetails,
  ImagePlatform,
  ImageProcess,
  ImageSummary,
  ImportOptions,
  PulledImage,
  PullOptions,
  PushedImage,
  PushOptions,
  SaveOptions,
} from './engine/image-summary.js'
export type { ImageStep, Images, PlatformOption, ResolvedImage } from './engine/images.js'
export type { InfoReport } from './engine/info.js'
export type { PrewarmedContainers, PrewarmOptions } from './engine/prewarmed.js'
export { replayOptions } from './engine/replay.js'
export type { VersionReport } from './engine/version.js'
export type { PruneVolumesOptions, VolumeSummary, Volumes } from './engine/volumes.js'
export { EngineError, type EngineErrorOptions, type ErrorCode, RUN_EXIT_CODES } from './errors.js'
export type { Credentials } from './fs/access.js'
export type {
  ByteString,
  Change,
  DeviceNumber,
  DirectoryEntry,
  EntryVisitor,
  FileSegment,
  FileType,
  Ino,
  ReadonlyFileSystem,
  Stat,
} from './fs/file-system.js'
export { type NodeFs, type NodeFsOptions, nodeFsOf, type OpenNodeFs } from './fs/node-fs.js'
export type { NodeFsLike, NodeFsStats } from './fs/node-fs-like.js'
export type { SystemCallOptions } from './fs/system-calls.js'
export type { RemovedImage } from './image/remove.js'
export type { Comparison } from './launcher/bpf.js'
export type { Finding } from './launcher/probe.js'
export type { RootStep } from './launcher/root-steps.js'
export type { ProfileAction, ProfileArgument, ProfileRule, ProfileScope, SeccompProfile } from './launcher/seccomp-profile.js'
export type { AttributeSet, EntryKind, TreeEntry, TreeRecord } from './launcher/tree-stream.js'
export type { Compression } from './layer/compression.js'
export type { DiffId, Digest } from './oci/digest.js'
export type { ContainerConfig } from './oci/image-spec.js'
export type { Platform } from './oci/platform.js'
export type {
  CallNumbers,
  CallOptions,
  HostAnswer,
  HostCall,
  HostFunction,
  PluginLimits,
  PluginMount,
  PluginOptions,
  PluginRun,
  PluginSnapshot,
  PluginSource,
  RunOptions,
} from './plugin/options.js'
export { PLUGIN_LIMITS } from './plugin/options.js'
export { Plugin } from './plugin/plugin.js'
export { PluginInstance } from './plugin/plugin-instance.js'
export { type SnapshotImageOptions, snapshotImage } from './plugin/snapshot-image.js'
export type { LayerStatus, PullEvent } from './registry/pull-event.js'
export type { PushEvent, PushedLayerStatus } from './registry/push-event.js'
export type { FoundRepository } from './registry/search.js'
export type { ContainerFiles, FilesRequest, PathStat, PathTar, TarFileSource } from './runtime/container-files.js'
export type { ExitReason, ExitStatus } from './runtime/exit.js'
export type { Usage } from './runtime/guest-processes.js'
export { DEFAULT_LIMITS, type Limits } from './runtime/limits.js'
export type {
  CapabilityEvidence,
  IdMapEvidence,
  KernelEvidence,
  LimitEvidence,
  LimitMechanism,
  LimitName,
  MountEvidence,
  NamespaceEvidence,
  NamespaceName,
  ProfileEvidence,
  Receipt,
  WasmEvidence,
} from './runtime/receipt.js'
export { type DeviceRate, type DeviceWeight, type ResourceSpec, ULIMITS, type Ulimit, type UlimitName } from './runtime/resources.js'
export type {
  Attachment,
  CreateRequest,
  ExecRequest,
  Prewarmed,
  RunEnd,
  RunningTask,
  Runtime,
  Supervision,
  Task,
  TerminalSize,
  UpdateRequest,
} from './runtime/runtime.js'
export type {
  BindMount,
  ContainerSpec,
  DeviceSpec,
  ExtraHost,
  FileSystemObjects,
  Mount,
  NetworkSpec,
  ObjectMount,
  PrivilegeSpec,
  ProcessSpec,
  RecordingSpec,
  Rootfs,
  SeccompSource,
  TmpfsMount,
  VolumeMount,
  WasiEngine,
} from './runtime/spec.js'
export type { SystemCallReport, SystemCallWatch, WatchedCall } from './runtime/system-calls.js'
export type { WritableLayer } from './runtime/writable-layer.js'
export type { FlawKind } from './store/flaw.js'
export type { StoredLayer } from './store/layer-store.js'
export type { MountRequest, NewVolume, Volume, VolumeRequest } from './volume/volume.js'
export type { PrunedVolumes } from './volume/volumes.js'
export type { NativeWall } from './wasm/double-wall.js'
