import type { ByteString, FileType } from '../fs/file-system.js'
import type { TreeRecord } from '../launcher/tree-stream.js'
import type { ByteSource } from '../layer/source.js'
import type { ContainerSpec, Rootfs } from './spec.js'

/** Whose files they are. Of one that does not run the caller sees to it that nobody starts it meanwhile. */
export interface FilesRequest {
  /** 64 hex digits. */
  readonly id: string
  /** The container's own folder. */
  readonly directory: string
  readonly spec: ContainerSpec
  readonly rootfs: Rootfs
  /** Paths on the host for new files that are gone afterwards. */
  readonly temporaryPath: () => string
}

/** What stands at a path, as lstat(2) has it. */
export interface PathStat {
  readonly type: FileType
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Bytes of a file; for a symlink the length of its target. */
  readonly size: number
  readonly mtimeNs: bigint
  /** Where a symlink leads, as it stands there; empty for anything else. */
  readonly target: ByteString
}

/** What stands at a path, and a tar of it. */
export interface PathTar {
  readonly stat: PathStat
  readonly tar: AsyncIterable<Uint8Array>
}

/** An uncompressed tar in a file. */
export interface TarFileSource extends ByteSource {
  /** Of this process, open for reading; it stays the caller's. */
  readonly descriptor: number
}

/**
 * The files of a container, running or not, as `cp`, `export` and `commit` need them.
 *
 * Paths are absolute, byte strings, and resolved inside the container's root: symlinks on the way lead where they lead for the guest and nowhere
 * else. One at the end is what is meant, unless a slash or `/.` follows it. What is mounted is seen where the guest sees it, but for what the
 * wall itself puts there (/proc, /sys, /dev); of a container that does not run that is its volumes and binds.
 */
export interface ContainerFiles {
  /** Null when nothing is there. */
  stat(path: ByteString): Promise<PathStat | null>
  /** All of it as a tar in which it bears `name`, and what is below it `name/…`. Null when nothing is there. */
  read(path: ByteString, name: ByteString): Promise<PathTar | null>
  /**
   * Makes what a tar holds below the directory at `path`. What bears its names makes way, but a directory and another thing never make way for
   * one another: INVALID_ARGUMENT then, and when there is no directory at `path`. The tar's names have been looked at: none leaves it.
   */
  write(path: ByteString, tar: TarFileSource): Promise<void>
  /** The whole root as a tar, without what is mounted on it. */
  readRoot(): AsyncIterable<Uint8Array>
  /** What has been written over the image's layers, as a layer's tar (image-spec, layer.md). Rejects with CONFLICT where only the guest has it. */
  readLayer(): AsyncIterable<Uint8Array>
  /**
   * Does to the root, without what is mounted on it, what `changeRecords` (rootfs) says. No symlink is followed on the way to a path.
   * Rejects with CONFLICT where something else stands there than the changes were made to, LIMIT_EXCEEDED without room, and INVALID_ARGUMENT
   * for a root that is read-only; while it runs, and behind the native wall, what came before is kept then.
   */
  change(records: Iterable<TreeRecord>): Promise<void>
}
