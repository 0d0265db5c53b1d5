/** Files out of a container and into it, in the words of the Docker Engine API's archive calls. */
import { closeSync, openSync, unlinkSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { EngineError } from '../errors.js'
import type { ByteString } from '../fs/file-system.js'
import { fromUtf8, toUtf8 } from '../fs/names.js'
import { decompress } from '../layer/compression.js'
import { openFileSource } from '../layer/file-source.js'
import { archiveRecords } from '../rootfs/archive-records.js'
import type { ContainerFiles, PathStat, PathTar, TarFileSource } from '../runtime/container-files.js'
import type { ContainerPathStat } from './container.js'

/** Symlinks followed in one walk (Linux: path_resolution(7)). */
const MAXIMUM_SYMLINKS = 40

/** A path as the container's own, from its root on. */
function absolute(path: string): ByteString {
  if (path.includes('\0')) throw new EngineError('INVALID_ARGUMENT', `a path holds a NUL byte: ${JSON.stringify(path)}`)
  return fromUtf8(path.startsWith('/') ? path : `/${path}`)
}

/** What stands at a path. `container` is for messages. */
export async function statPath(files: ContainerFiles, container: string, path: string): Promise<ContainerPathStat> {
  const stat = await files.stat(absolute(path))
  if (stat === null) throw notFound(container, path)
  return described(files, path, stat)
}

/** What stands at a path, as a tar in which it has a name. */
export async function copyOut(
  files: ContainerFiles,
  container: string,
  path: string,
  name = archiveName(path),
): Promise<{ readonly stat: ContainerPathStat } & Pick<PathTar, 'tar'>> {
  const found = await files.read(absolute(path), fromUtf8(name))
  if (found === null) throw notFound(container, path)
  return { stat: await described(files, path, found.stat), tar: found.tar }
}

/** Unpacks a tar into a directory. */
export async function copyIn(files: ContainerFiles, container: string, path: string, tar: TarFileSource): Promise<void> {
  const place = absolute(path)
  const directory = await files.stat(`${place}/.`)
  if (directory === null) {
    if ((await files.stat(place)) === null) throw notFound(container, path)
    throw new EngineError('INVALID_ARGUMENT', `extraction point is not a directory: ${path}`, { data: { path } })
  }
  await files.write(place, tar)
}

/**
 * Gathers a tar, compressed or not, in a file whose name is gone at once, and looks at all of it. Rejects with INVALID_ARCHIVE, UNSAFE_PATH, LIMIT_EXCEEDED, ABORTED.
 */
export async function spoolTar(tar: AsyncIterable<Uint8Array>, path: string, signal?: AbortSignal): Promise<TarFileSource> {
  const file = await open(path, 'wx+', 0o600)
  try {
    unlinkSync(path)
    for await (const chunk of decompress(tar)) {
      if (signal?.aborted) throw new EngineError('ABORTED', 'stopped before everything had come', { cause: signal.reason })
      for (let written = 0; written < chunk.length; ) written += (await file.write(chunk, written)).bytesWritten
    }
    // A descriptor of its own, for Node's handles are closed when nobody holds them.
    const descriptor = openSync(`/proc/self/fd/${file.fd}`, 'r')
    const source: TarFileSource = { ...openFileSource(descriptor), descriptor, close: () => closeSync(descriptor) }
    try {
      for (const _record of archiveRecords(source));
    } catch (error) {
      source.close()
      throw error
    }
    return source
  } finally {
    await file.close()
  }
}

/** What the thing itself is called in a tar of it. */
function archiveName(path: string): string {
  const name = baseName(path)
  return ['', '.', '..'].includes(name) ? '.' : name
}

function baseName(path: string): string {
  return path.replace(/\/+$/, '').split('/').at(-1) ?? ''
}

async function described(files: ContainerFiles, path: string, stat: PathStat): Promise<ContainerPathStat> {
  const { type, mode, uid, gid, size, mtimeNs } = stat
  return {
    name: /^\/*$/.test(path) ? '/' : baseName(path),
    type,
    mode,
    uid,
    gid,
    size,
    mtime: new Date(Number(mtimeNs / 1_000_000n)),
    linkTarget: type === 'symlink' ? toUtf8(await endOf(files, absolute(path), stat)) : '',
  }
}

/** Where a symlink leads in the end. */
async function endOf(files: ContainerFiles, link: ByteString, { target }: PathStat): Promise<ByteString> {
  let [path, next] = [link, target]
  for (let count = 0; count < MAXIMUM_SYMLINKS; count++) {
    // Not shortened: `..` behind a symlink is not what is written before it.
    path = next.startsWith('/') ? next : `${path.slice(0, path.replace(/\/+$/, '').lastIndexOf('/'))}/${next}`
    const found = await files.stat(path.replace(/(?<=.)\/+$/, ''))
    if (found?.type !== 'symlink') return path
    next = found.target
  }
  throw new EngineError('INVALID_ARGUMENT', `too many symlinks: ${toUtf8(link)}`, { data: { path: toUtf8(link) } })
}

function notFound(container: string, path: string): EngineError {
  return new EngineError('FILE_NOT_FOUND', `could not find the file ${path} in container ${container}`, { data: { path } })
}
