import { bareNode } from '../modes/bare-node.js'
import { library, libraryHeld } from '../modes/library.js'
import { openModes, type Workload } from '../workload.js'

/** The library against what a TypeScript program would do otherwise. */
export const startInNode: Workload = {
  name: 'start-in-node',
  summary: 'busybox true, from a running Node',
  unit: 'ms',
  rounds: 100,
  quickRounds: 6,
  open: (workbench) => openModes(workbench, [bareNode, library, libraryHeld], ['/bin/true']),
}
