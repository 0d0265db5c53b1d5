/** Every workload: those that targets judge, and those that are measured only. */
import { TARGETS } from './targets.js'
import type { Workload } from './workload.js'
import { containers } from './workloads/containers.js'
import { layers } from './workloads/layers.js'
import { life } from './workloads/life.js'
import { openImage } from './workloads/open-image.js'
import { startWasm } from './workloads/start-wasm.js'

/** How figures grow with what there is: beside the matrix in one report. */
export const SCALING: readonly Workload[] = [layers, openImage, containers]

export const WORKLOADS: readonly Workload[] = [
  ...new Set([...TARGETS.map(({ workload }) => workload), startWasm, life, layers, containers]),
]
