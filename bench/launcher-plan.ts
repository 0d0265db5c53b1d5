import type { IdMap } from '../src/launcher/id-map.js'
import type { Plan } from '../src/launcher/operations.js'
import { containerPlan, inodesFor } from '../src/native/plan.js'
import { etcFiles } from '../src/rootfs/etc-files.js'
import type { KernelLayers } from '../src/rootfs/overlay.js'
import { DEFAULT_LIMITS } from '../src/runtime/limits.js'
import type { ContainerSpec } from '../src/runtime/spec.js'
import type { Workbench } from './workbench.js'

const UPPER_BYTES = 64 * 2 ** 20
const UNLIMITED = -1

/** The plan of `run --rm` on the native wall, as the wall itself makes it, over the workbench's root tree unless other layers are given. */
export async function launcherPlan(
  workbench: Workbench,
  args: readonly string[],
  { idMap, layers }: { readonly idMap: IdMap; readonly layers?: KernelLayers },
): Promise<Plan> {
  const hostname = 'bench'
  const spec: ContainerSpec = {
    hostname,
    process: { args, env: ['PATH=/bin'], cwd: '/', user: { uid: 0, gid: 0, additionalGids: [] }, terminal: false },
    mounts: [],
    network: { mode: 'none' },
    limits: { pids: DEFAULT_LIMITS.pids },
    readonlyRootfs: false,
    ephemeral: true,
    annotations: {},
  }
  return containerPlan({
    spec,
    idMap,
    root: {
      ...(layers ?? { lowers: [await workbench.rootDirectory()], memory: null }),
      upper: { kind: 'memory', bytes: UPPER_BYTES, inodes: inodesFor(UPPER_BYTES) },
    },
    etcFiles: etcFiles({ hostname, network: 'none' }),
    openStdin: false,
    keepStdin: false,
    supervision: [],
    terminalSize: { rows: 24, columns: 80 },
    host: { openFiles: UNLIMITED, processes: UNLIMITED, tmpfsBytes: UPPER_BYTES },
  })
}
