/** What root does so that users can do without root: the least of it, as files to write and commands to run. */
import { existsSync } from 'node:fs'
import { freeRange, ownIds, type RangeLack, subordinateRange } from './id-map.js'
import { assetPath } from './installation.js'
import { namespaceBound, namespaceObstacle } from './namespace-obstacle.js'

/** A file that is written, or a command that is run. */
export type RootStep =
  | { readonly kind: 'file'; readonly path: string; readonly contents: string }
  | { readonly kind: 'command'; readonly words: readonly string[] }

const command = (...words: readonly string[]): RootStep => ({ kind: 'command', words })

const SYSCTL_FILE = '/etc/sysctl.d/60-wolffia.conf'
const APPARMOR_FILE = '/etc/apparmor.d/wolffia'
const DELEGATE_FILE = '/etc/systemd/system/user@.service.d/wolffia.conf'

/** As many namespaces of a kind as a user is given where there are none: what kernels give on a machine of 4 GiB. */
export const NAMESPACES_OF_A_USER = 15_000

/** For user namespaces: the switch that is off, or a profile for the launcher alone; nothing where neither is in the way. */
export function namespaceSteps(): readonly RootStep[] {
  switch (namespaceObstacle()) {
    case 'number':
      return sysctlSteps(`user.max_user_namespaces = ${NAMESPACES_OF_A_USER}`)
    case 'switch':
      return sysctlSteps('kernel.unprivileged_userns_clone = 1')
    case 'apparmor':
      return [{ kind: 'file', path: APPARMOR_FILE, contents: `${apparmorProfile()}\n` }, command('apparmor_parser', '-r', APPARMOR_FILE)]
    case null:
      return []
  }
}

/** For a kind of namespace: its number, where that is 0. */
export function boundSteps(name: Parameters<typeof namespaceBound>[0]): readonly RootStep[] {
  const setting = namespaceBound(name)
  return setting === null ? [] : sysctlSteps(`${setting} = ${NAMESPACES_OF_A_USER}`)
}

function sysctlSteps(line: string): readonly RootStep[] {
  return [{ kind: 'file', path: SYSCTL_FILE, contents: `${line}\n` }, command('sysctl', '-p', SYSCTL_FILE)]
}

/** An AppArmor profile that lets the launcher, and nothing else, make user namespaces. */
export function apparmorProfile(): string {
  return `abi <abi/4.0>, profile wolffia ${assetPath('launcher')} flags=(unconfined) { userns, }`
}

const PACKAGES = [
  ['/usr/bin/apt-get', ['apt-get', 'install', '-y', 'uidmap']],
  ['/usr/bin/dnf', ['dnf', 'install', '-y', 'shadow-utils']],
  ['/usr/bin/zypper', ['zypper', 'install', '-y', 'shadow']],
  ['/usr/bin/pacman', ['pacman', '-S', '--noconfirm', 'shadow']],
  ['/sbin/apk', ['apk', 'add', 'shadow-uidmap']],
] as const

/** For a range of ids: the package with the helpers, or ranges that nobody has. */
export function rangeSteps(lack: RangeLack): readonly RootStep[] {
  if (lack === 'helpers')
    return PACKAGES.filter(([program]) => existsSync(program))
      .slice(0, 1)
      .map(([, words]) => command(...words))
  const { name, uid } = ownIds()
  const missing = (['subuid', 'subgid'] as const).filter((file) => subordinateRange(`/etc/${file}`, name, uid) === null)
  return missing.map((file) => command('usermod', `--add-${file}s`, freeRange(`/etc/${file}`), name))
}

/** The device of all interfaces that a program feeds, which distributions leave open to everybody: an interface takes a network of one's own. */
export const TUN_DEVICE = '/dev/net/tun'
const TUN_MODULE_FILE = '/etc/modules-load.d/wolffia.conf'
const TUN_RULE_FILE = '/etc/udev/rules.d/60-wolffia.rules'

/** For {@link TUN_DEVICE}, by what the kernel said: the module where there is none, the mode where it is closed, nothing for anything else. */
export function tunSteps(errno: string | null): readonly RootStep[] {
  if (errno === 'ENOENT' || errno === 'ENODEV' || errno === 'ENXIO')
    return [{ kind: 'file', path: TUN_MODULE_FILE, contents: 'tun\n' }, command('modprobe', 'tun')]
  if (errno === 'EACCES' || errno === 'EPERM')
    return [
      { kind: 'file', path: TUN_RULE_FILE, contents: 'KERNEL=="tun", MODE="0666", OPTIONS+="static_node=net/tun"\n' },
      command('chmod', '0666', TUN_DEVICE),
    ]
  return []
}

/** For control groups, where systemd gives them to users' sessions. */
export function delegationSteps(): readonly RootStep[] {
  if (!existsSync('/run/systemd/system')) return []
  return [
    { kind: 'file', path: DELEGATE_FILE, contents: '[Service]\nDelegate=cpu cpuset io memory pids\n' },
    command('systemctl', 'daemon-reload'),
    command('loginctl', 'enable-linger', ownIds().name),
  ]
}
