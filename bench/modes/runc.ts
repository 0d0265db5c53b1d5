import { ociRuntime } from '../oci-runtime.js'

/** runc on the same bundle as crun. */
export const runc = ociRuntime('runc', 'runc run, rootless, with a network namespace and seccomp', ['--rootless=true'])
