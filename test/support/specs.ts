import type { ContainerSpec, PrivilegeSpec, ProcessSpec } from '../../src/runtime/spec.js'

/** What {@link containerSpec} takes: any part of a spec, and parts of its process. */
export type SpecChange = Partial<Omit<ContainerSpec, 'process'>> & { readonly process?: Partial<ProcessSpec> }

/** What `--privileged` comes to. */
export const PRIVILEGED: PrivilegeSpec = {
  privileged: true,
  capAdd: ['ALL'],
  noNewPrivileges: false,
  seccomp: 'unconfined',
  systemPaths: 'unconfined',
}

/** A spec with nothing asked for, but for what `change` says. */
export function containerSpec(change: SpecChange = {}): ContainerSpec {
  return {
    hostname: 'guest',
    mounts: [],
    network: { mode: 'none' },
    limits: {},
    readonlyRootfs: false,
    ephemeral: true,
    annotations: {},
    ...change,
    process: {
      args: ['/bin/true'],
      env: ['PATH=/usr/local/bin:/usr/bin:/bin'],
      cwd: '/',
      user: { uid: 0, gid: 0, additionalGids: [] },
      terminal: false,
      ...change.process,
    },
  }
}
