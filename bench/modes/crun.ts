import { ociRuntime } from '../oci-runtime.js'

/** crun on an OCI bundle: the namespaces of `crun spec --rootless`, a network namespace, and podman's seccomp profile. */
export const crun = ociRuntime('crun', 'crun run, rootless, with a network namespace and seccomp', ['--cgroup-manager=disabled'])
