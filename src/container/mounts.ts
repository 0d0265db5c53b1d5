import { statSync } from 'node:fs'
import { posix } from 'node:path'
import { EngineError } from '../errors.js'
import type { Mount } from '../runtime/spec.js'

const UNITS: Readonly<Record<string, number>> = { '': 1, b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4 }

/** Bytes of `64m`, `1.5g`, `4096`, in docker's binary units; null for anything else. */
export function parseBytes(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?) ?([bkmgt]?)(?:i?b)?$/.exec(text.toLowerCase())
  if (match === null) return null
  const bytes = Math.floor(Number(match[1]) * (UNITS[match[2] ?? ''] ?? Number.NaN))
  return Number.isSafeInteger(bytes) ? bytes : null
}

/** The mounts of a container, checked and in the order they are made: what lies deeper comes later. */
export function resolveMounts(mounts: readonly Mount[], tmpfs: Readonly<Record<string, string>>): readonly Mount[] {
  const all = [...mounts, ...Object.entries(tmpfs).map(([destination, options]) => parseTmpfs(destination, options))].map(normalize)
  const seen = new Set<string>()
  for (const { destination } of all) {
    if (seen.has(destination)) throw new EngineError('INVALID_ARGUMENT', `duplicate mount point: ${destination}`, { data: { destination } })
    seen.add(destination)
  }
  return all.sort((one, other) => depthOf(one) - depthOf(other))
}

/** `size=64m,mode=1777,ro` of `docker run --tmpfs`. */
export function parseTmpfs(destination: string, options: string): Mount {
  let sizeBytes: number | undefined
  let mode: number | undefined
  let readonly = false
  for (const option of options.split(',').filter((word) => word !== '')) {
    const [name = '', value = ''] = option.split('=', 2)
    if (name === 'size') sizeBytes = tmpfsSize(value)
    else if (name === 'mode' && /^[0-7]{1,4}$/.test(value)) mode = Number.parseInt(value, 8)
    else if (option === 'ro') readonly = true
    else if (!['rw', 'nosuid', 'nodev', 'noexec'].includes(option)) throw invalidTmpfsOption(option)
  }
  return {
    type: 'tmpfs',
    destination,
    readonly,
    ...(sizeBytes === undefined ? {} : { sizeBytes }),
    ...(mode === undefined ? {} : { mode }),
  }
}

function tmpfsSize(value: string): number {
  const bytes = parseBytes(value)
  if (bytes === null || bytes === 0) throw invalidTmpfsOption(`size=${value}`)
  return bytes
}

function invalidTmpfsOption(option: string): EngineError {
  const known = ['exec', 'suid', 'dev', 'uid', 'gid', 'nr_inodes'].includes(option.split('=', 1)[0] ?? '')
  return new EngineError(known ? 'NOT_BUILT' : 'INVALID_ARGUMENT', `tmpfs option ${option} is ${known ? 'not built yet' : 'not valid'}`, {
    data: { option },
    hint: 'A tmpfs takes size=BYTES, mode=OCTAL, ro and rw; it is always nosuid, nodev and noexec.',
  })
}

function normalize(mount: Mount): Mount {
  const { destination } = mount
  if (!destination.startsWith('/'))
    throw new EngineError('INVALID_ARGUMENT', `invalid mount path: "${destination}" must be absolute`, { data: { destination } })
  const normal = posix.normalize(destination).replace(/(?<=.)\/+$/, '')
  if (normal === '/') throw new EngineError('INVALID_ARGUMENT', "invalid mount path: the destination can't be /", { data: { destination } })
  assertNoNul(normal)
  if (mount.type === 'bind') assertSource(mount.source)
  return { ...mount, destination: normal }
}

function assertSource(source: string): void {
  assertNoNul(source)
  if (!source.startsWith('/')) throw new EngineError('INVALID_ARGUMENT', `bind source must be absolute: "${source}"`, { data: { source } })
  try {
    statSync(source)
  } catch (cause) {
    throw new EngineError('INVALID_ARGUMENT', `bind source path does not exist: ${source}`, {
      cause,
      data: { source },
      hint: `Make it first (mkdir -p ${source}); wolffia makes no folders on the host.`,
    })
  }
}

function assertNoNul(path: string): void {
  if (path.includes('\0')) throw new EngineError('INVALID_ARGUMENT', `a path holds a NUL byte: ${JSON.stringify(path)}`)
}

function depthOf(mount: Mount): number {
  return mount.destination.split('/').length
}
