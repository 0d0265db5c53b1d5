/** The matrix: which modes are its rows, which columns it has. A mode or a column joins by its name here. */
import { bare } from '../modes/bare.js'
import { bubblewrap } from '../modes/bubblewrap.js'
import { buildah } from '../modes/buildah.js'
import { commandLine, doubleWall, oneShot } from '../modes/command-line.js'
import { crun } from '../modes/crun.js'
import { docker } from '../modes/docker.js'
import { firejail } from '../modes/firejail.js'
import { inProcess } from '../modes/in-process.js'
import { nodeWasi } from '../modes/node-wasi.js'
import { podman } from '../modes/podman.js'
import { qemu } from '../modes/qemu.js'
import { runc } from '../modes/runc.js'
import { unshare } from '../modes/unshare.js'
import { wasmer, wasmerInMemory } from '../modes/wasmer.js'
import { workerThread } from '../modes/worker-thread.js'
import type { PlacedMode } from '../place.js'
import { append } from './append.js'
import type { Column } from './column.js'
import { echo } from './echo.js'
import { density, idle } from './idle.js'
import { kill } from './kill.js'
import { networks } from './network.js'
import { exec, remove } from './running.js'
import { firstByte, start } from './start.js'
import { works } from './work.js'

const OURS = [oneShot, commandLine, doubleWall]
const WASI = [inProcess, nodeWasi, workerThread, wasmer, wasmerInMemory]
const PEERS = [unshare, bubblewrap, crun, runc, podman, buildah, docker, firejail, qemu]

/** The rows; the first is the measure of the others. */
export const MODES: readonly PlacedMode[] = [bare, ...OURS, ...WASI, ...PEERS]

/** The columns, for the guests that every mode has. */
export function columns(quick: boolean): readonly Column[] {
  return [
    start(['/.bench/talk', 'exit']),
    firstByte(['/.bench/talk', 'echo']),
    exec,
    ...works(quick),
    append,
    echo,
    ...networks(quick),
    kill,
    remove,
    idle,
    density,
  ]
}
