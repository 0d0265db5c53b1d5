import { bare } from '../modes/bare.js'
import { bubblewrap } from '../modes/bubblewrap.js'
import { commandLine } from '../modes/command-line.js'
import { crun } from '../modes/crun.js'
import { launcher, launcherHeld, launcherOwnMap, launcherRange } from '../modes/launcher.js'
import { node } from '../modes/node.js'
import { podman } from '../modes/podman.js'
import { runc } from '../modes/runc.js'
import { openModes, type Workload } from '../workload.js'

/** Every mode that is a program, from the same small parent. */
export const startToExit: Workload = {
  name: 'start-to-exit',
  summary: 'busybox true, from the driver',
  unit: 'ms',
  rounds: 60,
  quickRounds: 6,
  open: (workbench) =>
    openModes(
      workbench,
      [bare, launcher, launcherRange, launcherHeld, launcherOwnMap, bubblewrap, crun, runc, podman, node, commandLine],
      ['/bin/true'],
    ),
}
