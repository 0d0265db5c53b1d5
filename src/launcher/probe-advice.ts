import { namespaceBound, namespaceObstacle } from './namespace-obstacle.js'
import { apparmorProfile, NAMESPACES_OF_A_USER, type RootStep } from './root-steps.js'

/**
 * Why this host may refuse user namespaces, and the least that allows them: the switch that is off, or a profile for the
 * launcher's own path. Never a profile for `node`, which would free every Node program on the host.
 */
export function namespaceAdvice(): string {
  switch (namespaceObstacle()) {
    case 'number':
      return `as root: sysctl -w user.max_user_namespaces=${NAMESPACES_OF_A_USER}`
    case 'switch':
      return 'as root: sysctl -w kernel.unprivileged_userns_clone=1'
    case 'apparmor':
      return `AppArmor restricts them; as root: printf '%s' '${apparmorProfile()}' > /etc/apparmor.d/wolffia && apparmor_parser -r /etc/apparmor.d/wolffia`
    case null:
      return 'something above this process forbids them: a container without nesting, or a seccomp or SELinux policy'
  }
}

/** Why there may be none of one kind of namespace. */
export function boundAdvice(name: Parameters<typeof namespaceBound>[0]): string {
  const setting = namespaceBound(name)
  return setting === null ? 'the kernel was built without it, or forbids it' : `as root: sysctl -w ${setting}=${NAMESPACES_OF_A_USER}`
}

/** Why there is but one id, apart from what to do about it, as commands where it is known which. */
export function rangeAdvice(reason: string, steps: readonly RootStep[]): { readonly why: string; readonly fix: string } {
  const [why = reason, ...ways] = reason.split('; ')
  return { why, fix: commandsOf(steps) ?? ways.join('; ') }
}

/** The commands among what root does, in one line; null where there are none. */
export function commandsOf(steps: readonly RootStep[]): string | null {
  const commands = steps.flatMap((step) => (step.kind === 'command' ? [step.words.join(' ')] : []))
  return commands.length > 0 ? `as root: ${commands.join(' && ')}` : null
}
