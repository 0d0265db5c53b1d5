import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Unavailable } from './unavailable.js'
import type { Workbench } from './workbench.js'

/** Where podman's and docker's packages put their seccomp profile. */
const PROFILE = '/usr/share/containers/seccomp.json'
const NAMESPACES = ['user', 'mount', 'pid', 'ipc', 'uts', 'cgroup', 'network']
const ARCHITECTURES: Readonly<Record<string, readonly string[]>> = {
  x64: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
  arm64: ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'],
}

/** Writes a bundle of the OCI runtime spec for a rootless container over the workbench's root tree; returns its folder. */
export async function writeBundle(workbench: Workbench, name: string, args: readonly string[]): Promise<string> {
  const single = (hostID: number) => [{ containerID: 0, hostID, size: 1 }]
  const config = {
    ociVersion: '1.0.2',
    process: { terminal: false, user: { uid: 0, gid: 0 }, args, env: ['PATH=/bin'], cwd: '/', noNewPrivileges: true },
    root: { path: await workbench.rootDirectory(), readonly: false },
    hostname: name,
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755', 'size=65536k'] },
      {
        destination: '/dev/pts',
        type: 'devpts',
        source: 'devpts',
        options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620'],
      },
      { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', 'ro'] },
    ],
    linux: {
      uidMappings: single(workbench.peerIds().uid),
      gidMappings: single(workbench.peerIds().gid),
      namespaces: NAMESPACES.map((type) => ({ type })),
      maskedPaths: ['/proc/acpi', '/proc/kcore', '/proc/keys', '/proc/timer_list', '/proc/sched_debug', '/proc/scsi', '/sys/firmware'],
      readonlyPaths: ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
      seccomp: seccompProfile(),
    },
  }
  const path = await workbench.file(`${name}/config.json`, JSON.stringify(config))
  return join(path, '..')
}

interface ProfileRule {
  readonly names: readonly string[]
  readonly action: string
  readonly args?: readonly unknown[]
  readonly includes?: { readonly arches?: readonly string[]; readonly caps?: readonly string[] }
}

/** podman's profile in the runtime spec's words: its rules for this architecture and for no capability. */
function seccompProfile(): object {
  let profile: { readonly defaultAction: string; readonly syscalls: readonly ProfileRule[] }
  try {
    profile = JSON.parse(readFileSync(PROFILE, 'utf8'))
  } catch {
    throw new Unavailable(`there is no seccomp profile in ${PROFILE} (Debian: golang-github-containers-common)`)
  }
  const architecture = process.arch === 'x64' ? 'amd64' : process.arch
  const isForThis = ({ arches, caps }: NonNullable<ProfileRule['includes']>) =>
    (caps ?? []).length === 0 && (arches === undefined || arches.includes(architecture))
  const rules = profile.syscalls.filter(({ action, includes }) => action === 'SCMP_ACT_ALLOW' && isForThis(includes ?? {}))
  return {
    defaultAction: profile.defaultAction,
    architectures: ARCHITECTURES[process.arch] ?? [],
    syscalls: rules.map(({ names, action, args }) => ({ names, action, ...(args && args.length > 0 ? { args } : {}) })),
  }
}
