/** Every workload: those that targets judge, and those that are measured only. */
import { SCALING } from './scaling.js'
import { TARGETS } from './targets.js'
import type { Workload } from './workload.js'
import { life } from './workloads/life.js'
import { startWasm } from './workloads/start-wasm.js'

export const WORKLOADS: readonly Workload[] = [...new Set([...TARGETS.map(({ workload }) => workload), startWasm, life, ...SCALING])]
