import { readSetting } from './host-setting.js'
import { apparmorProfile } from './root-steps.js'

/**
 * Why this host may refuse user namespaces, and the least that allows them: the switch that is off, or a profile for the
 * launcher's own path. Never a profile for `node`, which would free every Node program on the host.
 */
export function namespaceAdvice(): string | null {
  if (readSetting('user/max_user_namespaces') === '0') return 'as root: sysctl -w user.max_user_namespaces=15000'
  if (readSetting('kernel/unprivileged_userns_clone') === '0') return 'as root: sysctl -w kernel.unprivileged_userns_clone=1'
  if (readSetting('kernel/apparmor_restrict_unprivileged_userns') === '1')
    return `AppArmor restricts them; as root: printf '%s' '${apparmorProfile()}' > /etc/apparmor.d/wolffia && apparmor_parser -r /etc/apparmor.d/wolffia`
  return 'something above this process forbids them: a container without nesting, or a seccomp or SELinux policy'
}
