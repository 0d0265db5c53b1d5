import { namespaceObstacle } from './namespace-obstacle.js'
import { apparmorProfile } from './root-steps.js'

/**
 * Why this host may refuse user namespaces, and the least that allows them: the switch that is off, or a profile for the
 * launcher's own path. Never a profile for `node`, which would free every Node program on the host.
 */
export function namespaceAdvice(): string {
  switch (namespaceObstacle()) {
    case 'number':
      return 'as root: sysctl -w user.max_user_namespaces=15000'
    case 'switch':
      return 'as root: sysctl -w kernel.unprivileged_userns_clone=1'
    case 'apparmor':
      return `AppArmor restricts them; as root: printf '%s' '${apparmorProfile()}' > /etc/apparmor.d/wolffia && apparmor_parser -r /etc/apparmor.d/wolffia`
    case null:
      return 'something above this process forbids them: a container without nesting, or a seccomp or SELinux policy'
  }
}
