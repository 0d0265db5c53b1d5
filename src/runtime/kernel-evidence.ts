import { readFileSync, readlinkSync } from 'node:fs'
import type { ReceiptEvent } from '../launcher/protocol.js'
import type { MountLine } from './process-files.js'
import { numbersOf, parseHardLimits, parseIdMap, parseLimits, parseMountinfo, parseStatus } from './process-files.js'
import type { CapabilityEvidence, IdMapEvidence, KernelEvidence, MountEvidence, NamespaceEvidence, NamespaceName } from './receipt.js'

/** The launcher's `receipt` event: texts of /proc/self and results of system calls, taken inside with every privilege already gone. */
export type ReceiptTexts = Omit<ReceiptEvent, 'event'>

/** Namespaces by the receipt's names, with the kernel's. */
export const NAMESPACE_FILES: Readonly<Record<NamespaceName, string>> = {
  pid: 'pid',
  uts: 'uts',
  mount: 'mnt',
  ipc: 'ipc',
  net: 'net',
  user: 'user',
  cgroup: 'cgroup',
}

/** What the host itself looks like, to compare a guest with. */
export interface HostIdentity {
  readonly namespaces: Readonly<Record<NamespaceName, number>>
  /** Device and directory of the mount that is the host's root. */
  readonly root: { readonly device: string; readonly root: string }
}

let host: HostIdentity | undefined

/** The namespaces and the root that this process lives in; read once, they don't change while it lives. */
export function hostIdentity(): HostIdentity {
  if (host !== undefined) return host
  const namespaces = mapNamespaces((file) => namespaceInode(readlinkSync(`/proc/self/ns/${file}`)))
  const root = rootMount(parseMountinfo(readFileSync('/proc/self/mountinfo', 'utf8')))
  host = { namespaces, root: { device: root?.device ?? '', root: root?.root ?? '' } }
  return host
}

/** The number in `net:[4026531840]`; 0, which no namespace has, for any other text. */
export function namespaceInode(link: string): number {
  return Number(/^\w+:\[(\d+)\]$/.exec(link)?.[1] ?? 0)
}

/**
 * Reads the texts as evidence. Pure: `host` says what "isolated" is measured against, `outer` the map of the user namespace that the guest's is
 * in, where that is not the host's.
 */
export function kernelEvidence(texts: ReceiptTexts, host: HostIdentity, outer: IdMapEvidence | null = null): KernelEvidence {
  const status = parseStatus(texts.status)
  const mounts = parseMountinfo(texts.mountinfo)
  const root = rootMount(mounts)
  return {
    namespaces: mapNamespaces((file, name) => namespaceEvidence(texts.namespaces[file] ?? 0, host.namespaces[name])),
    hostname: texts.hostname,
    root: {
      fileSystem: root?.fileSystem ?? 'none',
      readonly: root !== undefined && isReadonly(root),
      hostRootVisible: mounts.some((mount) => mount.device === host.root.device && mount.root === host.root.root),
      bytes: texts.root.bytes,
      inodes: texts.root.inodes,
    },
    mounts: mounts.map(mountEvidence),
    seccomp: {
      mode: Number(status.get('Seccomp') ?? -1),
      filters: Number(status.get('Seccomp_filters') ?? -1),
      instructions: texts.seccomp_instructions,
    },
    sysctls: Object.fromEntries(Object.entries(texts.sysctls).map(([path, value]) => [withDots(path), value])),
    capabilities: capabilityEvidence(status),
    noNewPrivileges: status.get('NoNewPrivs') === '1',
    landlock: texts.landlock,
    idMap: {
      uid: onHost(parseIdMap(texts.uid_map), outer?.uid),
      gid: onHost(parseIdMap(texts.gid_map), outer?.gid),
    },
    user: userEvidence(status),
    descriptors: texts.descriptors,
    rlimits: parseLimits(texts.limits),
    hardRlimits: parseHardLimits(texts.limits),
    interfaces: Object.fromEntries(Object.entries(texts.interfaces).map(([name, up]) => [name, up ? 'up' : 'down'])),
    devices: [...texts.devices].sort(),
    terminal: texts.terminal,
    process: {
      dumpable: texts.dumpable,
      session: texts.session,
      umask: texts.umask,
      oomScoreAdjust: texts.oom_score_adj,
      workingDirectory: texts.working_directory,
    },
    supervisor: { outputBytes: texts.supervisor.output_bytes, timeMs: texts.supervisor.time_ms, pause: texts.supervisor.pause },
  }
}

type Extents = IdMapEvidence['uid']

/** The extents in the host's numbers; -1 for what an outer map has no number for. No extent spans two outer ones (user_namespaces(7)). */
function onHost(extents: Extents, outer: Extents | undefined): Extents {
  if (outer === undefined) return extents
  return extents.map(([inside, middle, count]) => {
    const found = outer.find(([first, , length]) => middle >= first && middle + count <= first + length)
    return [inside, found === undefined ? -1 : found[1] + (middle - found[0]), count]
  })
}

/** The five sets of `/proc/PID/status`. A field that is missing reads as all capabilities, so that a gap never looks safe. */
export function capabilityEvidence(status: ReadonlyMap<string, string>): CapabilityEvidence {
  const set = (name: string) => status.get(name) ?? 'f'.repeat(16)
  return { inheritable: set('CapInh'), permitted: set('CapPrm'), effective: set('CapEff'), bounding: set('CapBnd'), ambient: set('CapAmb') }
}

/** Effective ids and supplementary groups of `/proc/PID/status`, in the numbers of whoever read the file. */
export function userEvidence(status: ReadonlyMap<string, string>): KernelEvidence['user'] {
  return {
    uid: numbersOf(status.get('Uid') ?? '')[1] ?? -1,
    gid: numbersOf(status.get('Gid') ?? '')[1] ?? -1,
    groups: numbersOf(status.get('Groups') ?? ''),
  }
}

/** A line of mountinfo as a receipt shows it: without the host's paths. */
export function mountEvidence(mount: MountLine): MountEvidence {
  const shared = mount.optionalFields.some((field) => field.startsWith('shared:'))
  const slave = mount.optionalFields.some((field) => field.startsWith('master:'))
  return {
    mountPoint: mount.mountPoint,
    fileSystem: mount.fileSystem,
    options: mount.options,
    superOptions: withoutHostPaths(mount.superOptions),
    propagation: shared ? 'shared' : slave ? 'slave' : 'private',
  }
}

function namespaceEvidence(inode: number, hostInode: number): NamespaceEvidence {
  return { isolated: inode !== 0 && inode !== hostInode, inode, hostInode }
}

function mapNamespaces<Value>(value: (file: string, name: NamespaceName) => Value): Record<NamespaceName, Value> {
  const entries = Object.entries(NAMESPACE_FILES) as [NamespaceName, string][]
  return Object.fromEntries(entries.map(([name, file]) => [name, value(file, name)])) as Record<NamespaceName, Value>
}

/** The topmost mount on `/`. */
function rootMount(mounts: readonly MountLine[]): MountLine | undefined {
  return mounts.findLast((mount) => mount.mountPoint === '/')
}

function isReadonly(mount: MountLine): boolean {
  return [mount.options, mount.superOptions].some((options) => options.split(',').includes('ro'))
}

/** Lower directories become their number, an upper only its presence; any other value that is an absolute path is left out. */
function withoutHostPaths(superOptions: string): string {
  let lowers = 0
  let upper = false
  const kept: string[] = []
  for (const option of superOptions.split(',')) {
    const [name = '', value] = splitOnce(option, '=')
    if (name === 'lowerdir+' || name === 'datadir+') lowers++
    else if (name === 'lowerdir') lowers += value?.split(/:+/).length ?? 0
    else if (name === 'upperdir') upper = true
    else if (name !== 'workdir') kept.push(value?.startsWith('/') ? name : option)
  }
  if (lowers > 0) kept.push(`lowers=${lowers}`)
  if (upper) kept.push('upper')
  return kept.join(',')
}

/** `net.ipv4.conf.eth0/1.forwarding` of `net/ipv4/conf/eth0.1/forwarding`, as sysctl(8) writes it. */
function withDots(path: string): string {
  return path.replace(/[./]/g, (separator) => (separator === '/' ? '.' : '/'))
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const index = text.indexOf(separator)
  return index < 0 ? [text, undefined] : [text.slice(0, index), text.slice(index + 1)]
}
