import type { Workload } from './workload.js'
import { containers } from './workloads/containers.js'
import { layers } from './workloads/layers.js'
import { openImage } from './workloads/open-image.js'

/** How figures grow with what there is: beside the matrix in one report. */
export const SCALING: readonly Workload[] = [layers, openImage, containers]
