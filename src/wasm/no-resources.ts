import { EngineError } from '../errors.js'
import { RESOURCE_FLAGS, type ResourceSpec } from '../runtime/resources.js'

/** Of resources that neither a control group nor the launcher holds a module has the number of its open files, which is a limit; the rest is the kernel's. Throws NOT_BUILT by name. */
export function assertNoResources({ ulimits = {}, ...resources }: ResourceSpec): void {
  const [ulimit] = Object.keys(ulimits).filter((name) => name !== 'nofile' && name !== 'nproc')
  const [key] = Object.keys(resources) as (keyof typeof resources)[]
  const flag = ulimit === undefined ? key && RESOURCE_FLAGS[key] : `${RESOURCE_FLAGS.ulimits} ${ulimit}`
  if (flag === undefined) return
  throw new EngineError('NOT_BUILT', `${flag}: a WASI module's sandbox has no such limit yet`, {
    hint: 'Leave it out for Wasm images, which take --memory, --pids-limit, --ulimit nofile=, --storage-opt size=, --oom-score-adj, --fuel and --timeout.',
    data: { flag },
  })
}
