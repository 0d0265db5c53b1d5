import { EngineError } from '../errors.js'
import type { PrivilegeSpec } from '../runtime/spec.js'

/** By each part of a spec's privileges: what asks for it. Without a reason it holds: a module has nothing that could be taken away. */
const ASKED_BY: Readonly<Record<keyof PrivilegeSpec, string | null>> = {
  privileged: '--privileged',
  capAdd: '--cap-add',
  capDrop: null,
  noNewPrivileges: '--security-opt no-new-privileges=false',
  seccomp: '--security-opt seccomp=',
  systemPaths: '--security-opt systempaths=unconfined',
  devices: '--device',
  sysctls: '--sysctl',
  ipc: null,
  uts: '--uts host',
  cgroupns: '--cgroupns host',
  keepId: '--userns keep-id',
  groups: '--group-add',
}

/** A module calls preview1 and not the kernel, so there is nothing that a privilege could open. Throws NOT_BUILT by name. */
export function assertNoPrivileges(privileges: PrivilegeSpec): void {
  for (const part of Object.keys(ASKED_BY) as (keyof PrivilegeSpec)[]) {
    const flag = ASKED_BY[part]
    if (flag === null || privileges[part] === undefined) continue
    throw new EngineError('NOT_BUILT', `${flag}: a WASI module has no kernel to use it on`, {
      hint: 'Leave it out for Wasm images; what a module may reach are its files, arguments and variables.',
      data: { flag },
    })
  }
}
